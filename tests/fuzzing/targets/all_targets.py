"""All targets, on the entry points that commands use."""

import json
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

import llq_format
from llq_format.exporting.calibration.rounded_layers import RoundedLayer
from llq_format.exporting.calibration.saved_layers import DamagedError, SavedLayers
from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from llq_format.metadata.findings import LLQError
from llq_format.metadata.model import Model, tensor_roles
from llq_format.sandbox.chat_template import rendered
from llq_format.sandbox.text_error import TextError
from llq_format.sandbox.tokenizer import BoundedTokenizer
from tests.fuzzing.corpus import Corpus
from tests.fuzzing.mutations.packages import mutated
from tests.fuzzing.targets.target import Files, Target
from tests.fuzzing.targets.templates import template
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support import gguf_files
from vectors.cases.tokenization import BPE

KEY = {"source": "a"}
MESSAGES = [{"role": "user", "content": "a\nb"}, {"role": "assistant", "content": "é"}]


def made(write: Callable[[Path], Any]) -> Files:
    """Return the files that a function writes into a directory."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder))
        root = Path(folder)
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@cache
def checkpoint() -> Files:
    """Return a checkpoint with a tokenizer and a template."""
    files = without_tokenizer()
    settings = {
        "bos_token": "<|begin|>",
        "chat_template": "{{ messages[0].content }}",
        "eos_token": "<|im_end|>",
    }
    return files | {
        "tokenizer.json": BPE.json(),
        "tokenizer_config.json": json.dumps(settings).encode(),
        "generation_config.json": b'{"eos_token_id": [1, 2]}',
    }


def without_tokenizer() -> Files:
    """Return a checkpoint without a tokenizer."""
    return {
        Path(name).name: data for name, data in made(lambda folder: write_checkpoint(folder / "c")).items()
    }


def _bin() -> Files:
    """Return a checkpoint whose weights are a pickle of torch."""
    import torch  # noqa: PLC0415  # large

    files = without_tokenizer()
    header = int.from_bytes(files["model.safetensors"][:8], "little")
    entries = json.loads(files["model.safetensors"][8 : 8 + header])
    data = files.pop("model.safetensors")[8 + header :]
    state = {
        name: torch.from_numpy(
            np.frombuffer(data[slice(*entry["data_offsets"])], "<f4").reshape(entry["shape"]).copy()
        )
        for name, entry in entries.items()
        if name != "__metadata__"
    }

    def write(folder: Path) -> None:
        torch.save(state, folder / "pytorch_model.bin")

    def write_old(folder: Path) -> None:
        torch.save(state, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)

    return files | made(write), files | made(write_old)  # type: ignore[return-value]


def write_gguf(folder: Path) -> None:
    """Write a GGUF file with a tokenizer."""
    tokens = [*(f"<{index}>" for index in range(gguf_files.V - 3)), "a", "b", "ab"]
    keys = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "llama-bpe",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [1] * len(tokens),
        "tokenizer.ggml.merges": ["a b"],
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.chat_template": "{{ messages[0].content }}",
    }
    stored = gguf_files.plain(gguf_files.weights())
    gguf_files.write(folder / "m.gguf", stored, metadata=gguf_files.METADATA | keys)


def read_checkpoint(directory: Path) -> None:
    """Open a checkpoint and load all of its tensors."""
    path = next(iter(directory.glob("*.gguf")), directory)
    opened = open_checkpoint(path)
    try:
        for role in tensor_roles(Model.from_json(opened.model)):
            opened.load(role.name)
    finally:
        opened.close()


def read_package(directory: Path) -> None:
    """Validate a package, and read its tensors if it is valid."""
    findings = list(llq_format.validate(directory))
    if any(finding.severity == "error" for finding in findings):
        raise LLQError(findings[0])
    with llq_format.open(directory) as package:
        for tensor in package.metadata.tensors:
            package.get_tensor(tensor.name)


def read_tokenizer(directory: Path) -> None:
    """Encode and detokenize with a tokenizer."""
    tokenizer = BoundedTokenizer((directory / "tokenizer.json").read_bytes())
    tokenizer.decode(tokenizer.encode("hello <|im_start|> é日\n" + "a" * 40 + "b"))


def read_template(directory: Path) -> None:
    """Render a template."""
    text = (directory / "template.jinja").read_text(encoding="utf-8", errors="replace")
    rendered(text, MESSAGES, {"bos_token": "<s>"})


def read_layers(directory: Path) -> None:
    """Read the saved layers of an export."""
    saved = SavedLayers(directory / "layers")
    saved.open(KEY)
    saved.streams()


def layers() -> list[Files]:
    """Return saved layers."""
    layer: RoundedLayer = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}

    def write(folder: Path) -> None:
        saved = SavedLayers(folder / "layers")
        saved.open(KEY)
        for number in range(2):
            saved.save(number, layer, np.ones((1, 2, 3), np.float32))

    return [made(write)]


@cache
def corpus() -> Corpus:
    """Return small vectors."""
    return Corpus(None)


def _package(_files: Files, rng: Random) -> Files:
    package = mutated(corpus().pick(rng), rng)
    return {name: data for name, data in package.items() if isinstance(data, bytes)}


TARGETS = {
    target.name: target
    for target in (
        Target("package", lambda: [{}], read_package, (LLQError,), {}, _package),
        Target(
            "gguf",
            lambda: [made(write_gguf)],
            read_checkpoint,
            (CheckpointError,),
            {"m.gguf": None},
        ),
        Target(
            "safetensors",
            lambda: [without_tokenizer()],
            read_checkpoint,
            (CheckpointError,),
            {"model.safetensors": None},
        ),
        Target(
            "config",
            lambda: [checkpoint()],
            read_checkpoint,
            (CheckpointError,),
            dict.fromkeys(("config.json", "tokenizer_config.json", "generation_config.json"), "metadata"),
        ),
        Target(
            "tokenizer", lambda: [checkpoint()], read_tokenizer, (TextError,), {"tokenizer.json": "metadata"}
        ),
        Target(
            "tokenizer-of-checkpoint",
            lambda: [checkpoint()],
            read_checkpoint,
            (CheckpointError,),
            {"tokenizer.json": "metadata", "tokenizer_config.json": "metadata"},
        ),
        Target("bin", lambda: list(_bin()), read_checkpoint, (CheckpointError,), {"pytorch_model.bin": None}),  # type: ignore[arg-type]
        Target("template", lambda: [{}], read_template, (TextError,), {}, template),
        Target(
            "layers",
            layers,
            read_layers,
            (DamagedError,),
            dict.fromkeys(("layers/layer-00000.npz", "layers/layer-00001.npz", "layers/streams-00002.npz")),
        ),
    )
}
"""The targets by their names."""
