"""Headers are bounded before they are read: a refusal takes neither a second nor 200 MB."""

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from tests.fuzzing.targets import run
from tests.fuzzing.targets.run import execute
from tests.fuzzing.targets.target import Files, Target
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

REFUSING = Target("headers", list, lambda place: _opened(next(place.iterdir())), (CheckpointError,), {})


def _opened(path: Path) -> None:
    open_checkpoint(path if path.suffix == ".gguf" else path.parent).close()


def safetensors() -> Files:
    """Return a header of 30 MB."""
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"{n:06}": entry for n in range(400_000)}).encode()
    return {"model.safetensors": struct.pack("<Q", len(header)) + header}


def gguf_array(kind: int, item: bytes, count: int) -> Files:
    """Return a GGUF file with one array of many items."""
    key = b"a.b"
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", len(key)) + key
    return {"m.gguf": head + struct.pack("<IIQ", 9, kind, count) + item * count}


def gguf_nested() -> Files:
    """Return a GGUF file with arrays in arrays."""
    return gguf_array(9, struct.pack("<IQ", 9, 1), 100_000)


def gguf_keys() -> Files:
    """Return a GGUF file of many keys."""
    count = 200_000
    keys = b"".join(
        struct.pack("<Q", 6) + f"{n:06}".encode() + struct.pack("<IB", 7, 1) for n in range(count)
    )
    return {"m.gguf": b"GGUF" + struct.pack("<IQQ", 3, 0, count) + keys}


def archive(data: bytes, entries: int = 0) -> Files:
    """Return an archive with a pickle and empty storages."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/data.pkl", data)
        for number in range(entries):
            file.writestr(zipfile.ZipInfo(f"a/data/{number}"), b"")
    return {"pytorch_model.bin": stream.getvalue()}


HEADERS: dict[str, Callable[[], Files]] = {
    "safetensors with 400,000 tensors": safetensors,
    "GGUF with an array of 2,000,000 bytes": lambda: gguf_array(0, b"\0", 2_000_000),
    "GGUF with an array of 400,000 empty strings": lambda: gguf_array(8, struct.pack("<Q", 0), 400_000),
    "GGUF with arrays in arrays": gguf_nested,
    "GGUF with 200,000 keys": gguf_keys,
    "pickle of 50 MB of empty lists": lambda: archive(b"\x80\x02" + b"]" * (50 * 2**20)),
    "pickle with a memo of 4 billion entries": lambda: archive(
        b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b"."
    ),
    "pickle with a text of 2^62 bytes": lambda: archive(b"\x80\x04\x8d" + struct.pack("<Q", 2**62)),
    "archive of 100,000 storages": lambda: archive(pickle.dumps({}), 100_000),
    "old pickle of 50 MB": lambda: {"pytorch_model.bin": b"\x80\x02" + b"]" * (50 * 2**20)},
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory: Any = write_checkpoint(tmp_path_factory.mktemp("c") / "checkpoint")
    data: bytes = (directory / "config.json").read_bytes()
    return data


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_is_refused_soon_and_in_little_memory(
    name: str, config: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "CPU_SECONDS", seconds(1))
    files = HEADERS[name]()
    if "m.gguf" not in files:
        files = files | {"config.json": config}
    assert execute(REFUSING, files, tmp_path / "input") == "refused"
