"""Dispatches as wgpu-native takes them: what a host repeats for every token has to cost little.

wgpu's Python objects cost four times as much as the native calls beneath them, measured with 300 dispatches.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wgpu.backends.wgpu_native import ffi, lib

from llq_format.webgpu.program import Dispatch


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dispatch with its pipeline and its bind groups, which stay alive with it."""

    dispatch: Dispatch
    pipeline: Any
    bindings: Any
    parameters: Any


def encode(compute_pass: Any, dispatches: Iterable[Prepared], tokens: int) -> None:
    """Encode dispatches for a chunk of so many tokens into a GPUComputePassEncoder."""
    encoder = compute_pass._internal  # noqa: SLF001  # the handle that the native functions take
    set_pipeline, set_bind_group, dispatch = (
        lib.wgpuComputePassEncoderSetPipeline,
        lib.wgpuComputePassEncoderSetBindGroup,
        lib.wgpuComputePassEncoderDispatchWorkgroups,
    )
    pipeline = parameters = None
    for one in dispatches:
        if one.pipeline is not pipeline:
            pipeline = one.pipeline
            set_pipeline(encoder, pipeline._internal)  # noqa: SLF001
        set_bind_group(encoder, 0, one.bindings._internal, 0, ffi.NULL)  # noqa: SLF001
        if one.parameters is not parameters:
            parameters = one.parameters
            set_bind_group(encoder, 1, parameters._internal, 0, ffi.NULL)  # noqa: SLF001
        dispatch(encoder, *one.dispatch.grid(tokens))
