"""Programs for executors: the plan of each request, as two files in a directory.

The member `plan` of a request names the directory of
`program.json` and `module.wgsl`. For a model, `llq program` writes the same files with larger chunks.
For a trace, `taps.json` lists where the program leaves the results of operations.
"""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import llq_format
from llq_format.package.attach_program import attach
from llq_format.webgpu.planning.module import kernel_sections, write_module
from llq_format.webgpu.planning.operations import (
    decode_program,
    product_program,
    rounding_program,
    sampling_program,
)
from llq_format.webgpu.planning.planner import plan
from llq_format.webgpu.planning.program import Program
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from llq_format.webgpu.planning.sizes import KVCache
from llq_format.webgpu.planning.taps import to_json
from llq_format.webgpu.planning.variants import AFFINE_KERNELS

from .messages import Message

CHUNK = 32
"""Tokens of a prefill."""

PLANNED = ("decode", "activations", "matvec", "logits", "trace", "generate", "sample", "adjust")
"""The requests that a program answers."""


class Programs:
    """Directories with programs, one for each program that differs; they go with this object."""

    def __init__(self, kv_cache: KVCache = "f32") -> None:
        """Begin with none."""
        self._kv_cache: KVCache = kv_cache
        self._folder = TemporaryDirectory(prefix="llq-plans-")

    def with_plan(self, request: Message) -> Message:
        """Return a request with its member `plan`, if a program answers it. Raises what planning raises."""
        return request | {"plan": str(self._directory(request))} if request["op"] in PLANNED else request

    def close(self) -> None:
        """Remove the directories."""
        self._folder.cleanup()

    def _directory(self, request: Message) -> Path:
        program = self._program(request)
        data = program.to_bytes()
        directory = Path(self._folder.name, hashlib.sha256(data).hexdigest()[:32])
        if not directory.exists():
            directory.mkdir()
            affine = AFFINE_KERNELS[0] in program.variants[0].sections
            module = write_module(kernel_sections(affine=affine))
            (directory / "module.wgsl").write_text(module, encoding="ascii", newline="\n")
            (directory / "program.json").write_bytes(data)
        if request["op"] == "trace":
            with llq_format.open(request["package"]) as package:
                listed = to_json(program, package.metadata)
            (directory / "taps.json").write_text(json.dumps(listed), encoding="utf-8")
        return directory

    def _program(self, request: Message) -> Program:
        if request["op"] == "activations":
            return rounding_program(request["format"], *_shape(request))
        if request["op"] in ("sample", "adjust"):
            return sampling_program(*_shape(request))
        with llq_format.open(request["package"]) as package:
            metadata = package.metadata
            if request["op"] == "decode":
                return decode_program(metadata, request["tensor"])
            if request["op"] == "matvec":
                vectors, _ = _shape(request)
                return product_program(metadata, request["tensor"], request["format"], vectors)
            return plan(metadata, chunk=CHUNK, kv_cache=self._kv_cache)


def add_program(directory: Path) -> None:
    """Give a package the program and the module that `llq program` would."""
    attach(directory, lambda metadata: module_bytes(metadata.model), program_maker())


def _shape(request: Message) -> tuple[int, ...]:
    """Return the shape of a request's input."""
    x: Any = np.load(request["input"], mmap_mode="r")
    shape: tuple[int, ...] = x.shape
    return shape
