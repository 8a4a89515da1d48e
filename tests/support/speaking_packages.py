"""A small model with a tokenizer, for tests of commands that generate text."""

import json
from dataclasses import replace
from pathlib import Path

import llq_format
from llq_format import TokenizerFiles
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.planning.program_files import PROGRAM, package_files
from tests.support.repository import VECTORS


def speaking_package(directory: Path, chat_template: str | None = None) -> Path:
    """Write the tiny model with the tokenizer of a vector; it has no BOS. Return the package's path."""
    vectors = json.loads((VECTORS / "index.json").read_text("utf-8"))["vectors"]
    source = next(VECTORS / v["package"] for v in vectors if v["kind"] == "tokenize")
    tokenizer = TokenizerFiles((source / "tokenizer.json").read_bytes(), None, (), chat_template)
    model = replace(GEOMETRIES["tiny"], vocab_size=512)
    synth(model.to_json(), directory / "mute")
    target = directory / "package"
    with llq_format.open(directory / "mute") as package:
        dtypes = {tensor.name: tensor.dtype for tensor in package.metadata.tensors}
        tensors = {
            name: package.get_packed(name)
            if dtype.startswith("int4")
            else package.get_tensor(name).astype(f"f{int(dtype[1:]) // 8}")
            for name, dtype in dtypes.items()
        }
        options = {"model": model, "tokenizer": tokenizer, **package_files(PROGRAM)}
        llq_format.save(target, tensors, **options)
    return target
