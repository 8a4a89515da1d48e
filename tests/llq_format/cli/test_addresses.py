"""Checkpoints and packages by address, on a local server that imitates the Hugging Face hub."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llq_format.metadata.metadata import MAX_BYTES
from llq_format.remote import files
from llq_format.remote.addresses import HubAddress, RemoteError, hub_address, is_address
from tests.support.command_line import llq, run, tiny
from tests.support.family_models import MODELS, write_directory
from tests.support.gguf_files import Stored, plain, weights, write
from tests.support.hub_server import GATED, PRIVATE, SHA, Hub, serve

pytest.importorskip("aiohttp", reason="addresses require the extra remote")
pytestmark = pytest.mark.slow


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "root"
    root.mkdir()
    with serve(root) as server:
        yield server


def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a process that asks the local hub; XDG_CACHE_HOME is set already."""
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
    return os.environ | settings | {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def exported(hub: Hub, tmp_path: Path, address: str, *options: str) -> tuple[int, str]:
    """Return exit status and stderr of an export in a process of its own."""
    status, _, err = run(
        "export",
        address,
        tmp_path / "p",
        "--no-program",
        "--method",
        "rtn",
        *options,
        env=environment(hub, tmp_path),
    )
    return status, err


def repository(hub: Hub, name: str = "org/Tiny-Llama") -> Path:
    """Write a checkpoint with files that an export does not read."""
    directory = write_directory(hub.root / name, MODELS["llama"].model())
    (directory / "README.md").write_text("text")
    (directory / "consolidated.safetensors").write_bytes(bytes(100))
    (directory / "original").mkdir()
    (directory / "original" / "params.json").write_text("{}")
    return directory


def read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text())
    return value


@pytest.mark.parametrize("suffix", ["", "@v1", f"@{SHA}", "/"])
def test_repository(hub: Hub, tmp_path: Path, suffix: str) -> None:
    """The package is that of the same files on this machine; no other file is downloaded."""
    directory = repository(hub)
    status, err = exported(hub, tmp_path, f"hf://org/Tiny-Llama{suffix}")
    assert status == 0, err
    for name in ("README.md", "consolidated.safetensors", "original"):
        assert hub.asked(name) == []
    for name in ("README.md", "consolidated.safetensors"):
        (directory / name).unlink()
    local = tmp_path / "tiny-llama"
    directory.rename(local)
    assert llq("export", local, tmp_path / "q", "--no-program", "--method", "rtn").exit_code == 0
    assert read(tmp_path / "p" / "metadata.json") == read(tmp_path / "q" / "metadata.json")


def test_gguf_file_of_a_repository(hub: Hub, tmp_path: Path) -> None:
    (hub.root / "org" / "gg").mkdir(parents=True)
    write(hub.root / "org" / "gg" / "Tiny.Q8.gguf", plain(weights()))
    status, err = exported(hub, tmp_path, "hf://org/gg/Tiny.Q8.gguf", "--no-tokenizer")
    assert status == 0, err
    assert read(tmp_path / "p" / "metadata.json")["stem"] == "tiny.q8"


def write_split(directory: Path) -> None:
    directory.mkdir(parents=True)
    tensors = list(plain(weights()).items())
    for number in range(2):
        part: Stored = dict(tensors[number::2])
        keys = {"split.no": number, "split.count": 2, "split.tensors.count": len(tensors)}
        changes: dict[str, Any] = {key.replace(".", "__"): value for key, value in keys.items()}
        write(directory / f"m-0000{number + 1}-of-00002.gguf", part, **changes)


@pytest.mark.parametrize("scheme", ["hf", "http"])
def test_all_parts_of_a_model_are_read(hub: Hub, tmp_path: Path, scheme: str) -> None:
    write_split(hub.root / "org" / "gg")
    start = "hf://org/gg" if scheme == "hf" else f"{hub.address}/files/org/gg"
    status, err = exported(hub, tmp_path, f"{start}/m-00001-of-00002.gguf", "--no-tokenizer")
    assert status == 0, err
    assert read(tmp_path / "p" / "metadata.json")["stem"] == "m"


@pytest.mark.parametrize("path", ["files", "moved"])
def test_gguf_file_of_any_server(hub: Hub, tmp_path: Path, path: str) -> None:
    local = write(hub.root / "model.gguf", plain(weights()))
    status, err = exported(hub, tmp_path, f"{hub.address}/{path}/model.gguf", "--no-tokenizer")
    assert status == 0, err
    assert (
        llq("export", local, tmp_path / "q", "--no-program", "--method", "rtn", "--no-tokenizer").exit_code
        == 0
    )
    assert read(tmp_path / "p" / "metadata.json") == read(tmp_path / "q" / "metadata.json")


@pytest.mark.parametrize("drops", [1, 3])
@pytest.mark.parametrize("scheme", ["hf", "http"])
def test_broken_connections_lose_nothing(hub: Hub, tmp_path: Path, scheme: str, drops: int) -> None:
    (hub.root / "org" / "gg").mkdir(parents=True)
    write(hub.root / "org" / "gg" / "model.gguf", plain(weights()))
    start = "hf://org/gg" if scheme == "hf" else f"{hub.address}/files/org/gg"
    hub.drops = drops
    status, err = exported(hub, tmp_path, f"{start}/model.gguf", "--no-tokenizer")
    assert status == 0, err
    assert hub.drops == 0
    assert llq("validate", tmp_path / "p").exit_code == 0


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (f"hf://{GATED}", "access is restricted: accept the terms on the page of the model, then log in"),
        (f"hf://{PRIVATE}", "not found, or private: check the name, or log in with: hf auth login"),
        ("hf://org/nonesuch", "hf://org/nonesuch: not found, or private"),
        ("hf://org/Tiny-Llama@v9", "hf://org/Tiny-Llama: has no revision v9"),
        ("hf://org/Tiny-Llama/nonesuch.gguf", "has no file nonesuch.gguf"),
        (
            "hf://org/only-gguf",
            "has no config.json, but GGUF files: name one of them, such as hf://org/only-gguf/a.gguf",
        ),
        ("hf://org/empty", "has no config.json, so it is not a checkpoint"),
        ("hf://org/no-weights", "has neither .safetensors files nor pytorch_model.bin"),
        ("hf://Tiny-Llama", "expected hf://ORG/NAME, hf://ORG/NAME@REVISION or hf://ORG/NAME/FILE.gguf"),
        ("{}/files/nonesuch.gguf", "nonesuch.gguf: not found"),
        ("{}/files/locked.gguf", "locked.gguf: HTTP 401: access requires a login or a token"),
        ("{}/files/gated.gguf", "gated.gguf: HTTP 403: access is restricted"),
        ("{}/files/org/Tiny-Llama/config.json", "expected the address of a .gguf file, or hf://ORG/NAME"),
        ("http://127.0.0.1:9/model.gguf", "http://127.0.0.1:9/model.gguf: Cannot connect to host"),
    ],
)
def test_refusals_are_one_clear_line(hub: Hub, tmp_path: Path, address: str, message: str) -> None:
    repository(hub)
    for name in ("only-gguf/a.gguf", "empty/README.md", "no-weights/config.json"):
        (hub.root / "org" / name).parent.mkdir()
        (hub.root / "org" / name).write_bytes(b"{}")
    hub.statuses = {"/files/locked.gguf": 401, "/files/gated.gguf": 403}
    status, err = exported(hub, tmp_path, address.format(hub.address))
    assert status == 1
    lines = err.strip().splitlines()
    assert len(lines) == 2, err
    assert lines[0].startswith("llq: reading ")
    assert lines[1].startswith("llq: ")
    assert message in lines[1]
    assert not (tmp_path / "p").exists()


def test_download_continues_where_it_stopped(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 10_000)
    monkeypatch.setattr(files, "ATTEMPTS", 1)
    data = bytes(range(256)) * 200
    (hub.root / "model.gguf").write_bytes(data)
    address = f"{hub.address}/files/model.gguf"
    seen: list[int] = []
    totals: list[int] = []

    def stop(count: int) -> None:
        seen.append(count)
        hub.drops = int(sum(seen) >= 30_000)

    with pytest.raises(RemoteError, match=r"model\.gguf: "):
        files.download([address], progress=stop)
    assert sum(seen) == 30_000
    before = len(hub.asked("model.gguf"))
    (copy,) = files.download([address], on_total=lambda total, _: totals.append(total))
    assert totals == [len(data)]
    assert copy.read_bytes() == data
    assert hub.asked("model.gguf")[before:] == ["bytes=30000-39999", "bytes=40000-49999", "bytes=50000-51199"]
    assert files.download([address]) == [copy]
    assert len(hub.asked("model.gguf")) == before + 3


def test_changed_file_is_downloaded_again(hub: Hub) -> None:
    (hub.root / "m.gguf").write_bytes(b"a" * 500)
    address = f"{hub.address}/files/m.gguf"
    assert files.download([address])[0].read_bytes() == b"a" * 500
    (hub.root / "m.gguf").write_bytes(b"b" * 500)
    assert files.download([address])[0].read_bytes() == b"b" * 500


def test_server_without_ranges_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "CHUNK_BYTES", 100)
    hub.ranges = False
    (hub.root / "m.gguf").write_bytes(bytes(500))
    with pytest.raises(RemoteError, match="500 bytes instead of 100: the server must support range requests"):
        files.download([f"{hub.address}/files/m.gguf"])


@pytest.mark.parametrize("end", ["", "/", "/metadata.json"])
def test_inspect_reads_the_metadata_alone(hub: Hub, end: str) -> None:
    package = tiny(hub.root)
    address = f"{hub.address}/files/tiny{end}"
    remote = llq("inspect", address, "--json")
    assert remote.exit_code == 0, remote.stderr
    local = json.loads(llq("inspect", package, "--json").stdout)
    assert json.loads(remote.stdout) == local | {"path": address}
    assert {path for _, path, _ in hub.requests} == {"/files/tiny/metadata.json"}


def test_index_is_validated_by_lengths(hub: Hub) -> None:
    package = tiny(hub.root)
    address = f"{hub.address}/files/tiny"
    result = llq("validate", "--index-only", address, package)
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count(": valid") == 2
    assert all("metadata.json" in path for method, path, _ in hub.requests if method == "GET")
    shard = next(package.glob("*.llq"))
    shard.write_bytes(shard.read_bytes()[:-256])
    (package / "program.json").unlink()
    remote, local = (
        json.loads(llq("validate", "--json", "--index-only", place).stdout) for place in (address, package)
    )
    assert remote[0]["findings"] == local[0]["findings"]
    codes = [finding["code"] for finding in remote[0]["findings"] if finding["severity"] == "error"]
    assert sorted(codes) == ["file-missing", "file-too-short"]


@pytest.mark.parametrize("end", ["", "/metadata.json"])
def test_packages_of_the_hub(hub: Hub, tmp_path: Path, end: str) -> None:
    """A package in a folder of a repository; only metadata.json is read."""
    (hub.root / "org" / "packages").mkdir(parents=True)
    package = tiny(hub.root / "org" / "packages")
    address = f"hf://org/packages/tiny{end}"
    settings = environment(hub, tmp_path)
    status, out, err = run("inspect", address, "--json", env=settings)
    assert status == 0, err
    local = json.loads(llq("inspect", package, "--json").stdout)
    assert json.loads(out) == local | {"path": address}
    status, out, err = run("validate", "--index-only", address, env=settings)
    assert status == 0, err
    assert out.endswith(f"{address}: valid, 1 warning\n")
    assert not [path for _, path, _ in hub.requests if path.endswith(".llq")]
    (package / "program.json").unlink()
    status, out, _ = run("validate", "--index-only", "--json", address, env=settings)
    assert status == 1
    codes = [finding["code"] for finding in json.loads(out)[0]["findings"]]
    assert sorted(codes) == ["file-missing", "tokenizer-missing"]
    status, out, _ = run("validate", "--index-only", "--json", "hf://org/packages/other", env=settings)
    assert status == 1
    assert [finding["code"] for finding in json.loads(out)[0]["findings"]] == ["metadata-missing"]


@pytest.mark.parametrize("command", [("inspect",), ("validate", "--index-only")])
def test_a_missing_repository_is_one_clear_line(hub: Hub, tmp_path: Path, command: tuple[str, ...]) -> None:
    status, _, err = run(*command, "hf://org/nonesuch", env=environment(hub, tmp_path))
    assert status == 1
    assert len(err.strip().splitlines()) == 1, err
    assert "hf://org/nonesuch" in err


def test_eval_against_a_checkpoint_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    directory = repository(hub)
    np.save(tmp_path / "ids.npy", np.arange(64) % 32)
    assert llq("export", directory, tmp_path / "p", "--no-program", "--method", "rtn").exit_code == 0
    address = "hf://org/Tiny-Llama"
    reports = []
    for against in (address, directory):
        options = ("--against", against, "--text", tmp_path / "ids.npy", "--json")
        status, out, err = run("eval", tmp_path / "p", *options, env=environment(hub, tmp_path))
        assert status == 0, err
        reports.append(json.loads(out))
    assert reports[0] == reports[1] | {"checkpoint": address}


def test_contents_are_not_validated_with_the_index_alone(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    shard = next(package.glob("*.llq"))
    data = bytearray(shard.read_bytes())
    data[-300] ^= 1
    shard.write_bytes(data)
    assert llq("validate", "--index-only", package).exit_code == 0
    assert llq("validate", package).exit_code == 1


@pytest.mark.parametrize("command", [("inspect",), ("validate", "--index-only")])
def test_damaged_metadata_of_an_address(hub: Hub, command: tuple[str, ...]) -> None:
    (hub.root / "p").mkdir()
    path = hub.root / "p" / "metadata.json"
    address = f"{hub.address}/files/p"
    result = llq(*command, address)
    assert result.exit_code == 1
    assert "metadata-missing" in result.stdout + result.stderr
    path.write_bytes(b"{" + b" " * 20)
    result = llq(*command, address)
    assert result.exit_code == 1
    assert "invalid-json" in result.stdout + result.stderr
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    asked = len(hub.asked("metadata.json"))
    result = llq(*command, address)
    assert result.exit_code == 1
    assert "metadata-size" in result.stdout + result.stderr
    assert len(hub.asked("metadata.json")) == asked  # its length is known from its headers


def test_address_without_index_only_is_refused() -> None:
    result = llq("validate", "https://example.org/p")
    assert result.exit_code == 2
    assert "add --index-only" in " ".join(result.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf://a/b", HubAddress("a/b", None, None)),
        ("hf://a/b@main", HubAddress("a/b", "main", None)),
        ("hf://a/b@main/x/y.gguf", HubAddress("a/b", "main", "x/y.gguf")),
        ("HF://a/b/y.gguf", HubAddress("a/b", None, "y.gguf")),
    ],
)
def test_parts_of_an_address(text: str, expected: HubAddress) -> None:
    assert is_address(text)
    assert hub_address(text) == expected


@pytest.mark.parametrize("text", ["model.gguf", "a/b", "./hf:/a", "/x", "C:\\x", "://a"])
def test_paths_are_no_addresses(text: str) -> None:
    assert not is_address(text)
