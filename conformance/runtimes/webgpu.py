"""The WebGPU executor as a runtime: `--runtime=webgpu`, on the machine's preferred adapter or a named one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import llq_format
from llq_format.metadata.model import Model
from llq_format.reference.adjusting import Adjustment as ReferenceAdjustment
from llq_format.reference.sampling import Sampling as ReferenceSampling
from llq_format.webgpu.execution.adjuster import Adjuster, sample_adjusted
from llq_format.webgpu.execution.device_errors import DeviceError
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.execution.generation import generate
from llq_format.webgpu.execution.opening import Executable, open_device
from llq_format.webgpu.execution.sampling import sample
from llq_format.webgpu.execution.tracing import trace
from llq_format.webgpu.planning.module import kernel_sections
from llq_format.webgpu.planning.operations import (
    OPERATION,
    decode_program,
    product_program,
    rounding_program,
    sampling_program,
    unpermuted,
)
from llq_format.webgpu.planning.planner import plan, program_variants
from llq_format.webgpu.planning.program import Program
from llq_format.webgpu.planning.sizes import KVCache

from ..core.runtime import Adjustment, Format, Info, Reals, Rounded, Sampling, Tokenized, Verdict
from .reference import EXTENSIONS, Reference

CHUNK = 32
"""Tokens of a prefill: small, so that vectors of a few dozen tokens are cut."""


class WebGPU:
    """Adapts `llq_format.webgpu`. The library validates and tokenizes."""

    capabilities = Reference.capabilities

    def __init__(self, adapter: str | None = None, variant: str = "best", kv_cache: KVCache = "f32") -> None:
        """Open a device. Raises DeviceError where there is none."""
        self._library = Reference()
        self.capabilities = self._library.capabilities
        self._kv_cache: KVCache = kv_cache
        program = replace(rounding_program("int8", 1, 1), variants=program_variants(affine=True))
        kernels = Executable(program, kernel_sections(affine=True))
        self._device = open_device(kernels, adapter=adapter, variant=variant)
        name = f"llq-webgpu {self._device.variant.name} on {self._device.name}"
        self.info = Info(name, _version(), "Python, WGSL", kv_cache, EXTENSIONS, _names(self._device.adapter))

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Decode one tensor on the device."""
        with llq_format.open(package) as opened:
            entry = opened.entry(tensor)
            executor = self._executor(opened, decode_program(opened.metadata, tensor))
            executor.run(OPERATION, 1)
            return executor.read("y", entry.rows * entry.cols).reshape(entry.shape)

    def validate(self, package: Path) -> Verdict:
        """Return the rules of all findings, in their order."""
        return self._library.validate(package)

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Round vectors."""
        vectors, cols = x.shape
        executor = self._executor(None, rounding_program(form, vectors, cols))
        self._feed(executor, x)
        if form == "binary16":
            words = executor.program.buffers["rounded"].bytes // 4
            return Rounded(executor.read("rounded", words).reshape(vectors, -1)[:, :cols].copy())
        codes = executor.read("codes", executor.program.buffers["codes"].bytes // 4, np.uint32).view(np.int8)
        return Rounded(unpermuted(codes, vectors, cols).astype(np.float32), executor.read("scales", vectors))

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Multiply rounded vectors by a matrix."""
        with llq_format.open(package) as opened:
            rows = opened.entry(tensor).rows
            executor = self._executor(opened, product_program(opened.metadata, tensor, form, len(x)))
            self._feed(executor, x)
            return executor.read("y", len(x) * rows).reshape(len(x), rows)

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence, `splits` tokens at a time."""
        with llq_format.open(package) as opened:
            executor = self._model_executor(opened, len(tokens))
            ends = np.cumsum(splits)[:-1]
            runs = np.split(np.array(tokens), ends)
            return np.concatenate([executor.forward([int(token) for token in run]) for run in runs])

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Compute a new sequence and return what its buffers hold after the dispatches."""
        with llq_format.open(package) as opened:
            executor = self._model_executor(opened, len(tokens))
            return trace(executor, opened.metadata, tokens, splits)

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Return the tokens that greedy choice appends to a prompt."""
        with llq_format.open(package) as opened:
            executor = self._model_executor(opened, len(tokens) + max_tokens)
            tokenizer = opened.metadata.tokenizer
            return list(generate(executor, tokens, max_tokens, tokenizer.eos_token_ids if tokenizer else ()))

    def sample(self, logits: NDArray[np.float32], sampling: Sampling, count: int) -> Sequence[int] | None:
        """Draw the tokens of consecutive positions from the same logits, on the device."""
        try:
            parameters = ReferenceSampling(
                sampling.temperature, sampling.top_k, sampling.top_p, sampling.seed
            )
        except ValueError:
            return None
        executor = self._executor(None, sampling_program(len(logits)))
        executor.write("logits", logits)
        return sample(executor, parameters, sampling.position, count)

    def adjust(
        self, logits: NDArray[np.float32], sampling: Sampling, adjustment: Adjustment, count: int
    ) -> Sequence[int] | None:
        """Draw the tokens of consecutive positions from the same logits, adjusted on the device."""
        mask = None if adjustment.mask is None else np.array(adjustment.mask, np.uint32)
        executor = self._executor(None, sampling_program(len(logits)))
        adjuster = Adjuster(executor)
        try:
            parameters = ReferenceSampling(
                sampling.temperature, sampling.top_k, sampling.top_p, sampling.seed, adjustment.min_p
            )
            change = ReferenceAdjustment(adjustment.repetition_penalty, dict(adjustment.logit_bias))
            adjuster.begin(parameters, change, adjustment.sequence)
            adjuster.allow(mask)
        except ValueError:
            return None
        executor.write("tokens", np.array(adjustment.sequence[-1:], np.uint32))
        return sample_adjusted(executor, adjuster, logits, sampling.position, count)

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Encode a prompt, then detokenize the ids."""
        return self._library.tokenize(package, text)

    def close(self) -> None:
        """Let the device go."""
        self._device.gpu.destroy()

    def _executor(self, package: Any, program: Program) -> Executor:
        return Executor(package, program, self._device, 1)

    def _model_executor(self, package: llq_format.Package, positions: int) -> Executor:
        program = plan(package.metadata, chunk=CHUNK, kv_cache=self._kv_cache)
        assert isinstance(package.metadata.model, Model)  # noqa: S101  # plan has seen it
        return Executor(package, program, self._device, min(program.context_length, positions))

    def _feed(self, executor: Executor, x: NDArray[np.float32]) -> None:
        executor.write("x", x)
        executor.write("state", np.array([0, len(x)], np.uint32))
        executor.run(OPERATION, len(x))


def _names(adapter: Any) -> str:
    """Return all names that an adapter gives itself: device, driver, vendor and backend."""
    names = (adapter.info.get(name, "") for name in ("device", "description", "vendor", "backend_type"))
    return ", ".join(dict.fromkeys(filter(None, names)))


def _version() -> str:
    try:
        return version("llq-format")
    except PackageNotFoundError:  # run from a source tree
        return ""


__all__ = ["DeviceError", "WebGPU"]
