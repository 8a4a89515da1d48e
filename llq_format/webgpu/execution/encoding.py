"""Dispatches as native calls of wgpu-native, to reduce the overhead of every token.

wgpu's Python objects cost four times the native calls that they make, measured with 300 dispatches.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from wgpu.backends.wgpu_native import ffi, lib

from llq_format.webgpu.planning.program import Dispatch
from llq_format.webgpu.planning.workload import group_of


@dataclass(frozen=True, slots=True)
class Prepared:
    """A dispatch with its pipeline and its bind groups, which live as long, and their native handles."""

    dispatch: Dispatch
    pipeline: Any
    bindings: Any
    parameters: Any
    group: str = field(init=False)
    handles: tuple[Any, Any, Any] = field(init=False)
    grid: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        """Store values that each run needs: debug group, handles, and the grid of one token."""
        objects = (self.pipeline, self.bindings, self.parameters)
        object.__setattr__(self, "group", sys.intern(group_of(self.dispatch)))
        object.__setattr__(self, "handles", tuple(resource._internal for resource in objects))  # noqa: SLF001
        object.__setattr__(self, "grid", self.dispatch.grid(1))


def encode(compute_pass: Any, dispatches: Iterable[Prepared], tokens: int) -> None:
    """Encode dispatches for a chunk of tokens into a GPUComputePassEncoder.

    The dispatches of a layer form a debug group.
    """
    encoder = compute_pass._internal  # noqa: SLF001  # the handle that the native functions take
    set_pipeline, set_bind_group, dispatch = (
        lib.wgpuComputePassEncoderSetPipeline,
        lib.wgpuComputePassEncoderSetBindGroup,
        lib.wgpuComputePassEncoderDispatchWorkgroups,
    )
    null = ffi.NULL
    last_pipeline = last_parameters = group = None
    for prepared in dispatches:
        if prepared.group is not group:
            if group is not None:
                lib.wgpuComputePassEncoderPopDebugGroup(encoder)
            group = prepared.group
            lib.wgpuComputePassEncoderPushDebugGroup(encoder, _string(group)[0])
        pipeline, bindings, parameters = prepared.handles
        if pipeline is not last_pipeline:
            last_pipeline = pipeline
            set_pipeline(encoder, pipeline)
        set_bind_group(encoder, 0, bindings, 0, null)
        if parameters is not last_parameters:
            last_parameters = parameters
            set_bind_group(encoder, 1, parameters, 0, null)
        dispatch(encoder, *(prepared.grid if tokens == 1 else prepared.dispatch.grid(tokens)))
    if group is not None:
        lib.wgpuComputePassEncoderPopDebugGroup(encoder)


def submit(device: Any, command_buffer: Any) -> int:
    """Submit a command buffer to the queue of a GPUDevice, and return the submission's index for `wait`."""
    buffers = ffi.new("WGPUCommandBuffer []", [command_buffer._internal])  # noqa: SLF001
    return int(lib.wgpuQueueSubmitForIndex(device.queue._internal, 1, buffers))  # noqa: SLF001


def wait(device: Any, index: int) -> None:
    """Wait for one submission, but not for later ones: the promises of wgpu wait for all submissions."""
    lib.wgpuDevicePoll(device._internal, True, ffi.new("WGPUSubmissionIndex *", index))  # noqa: FBT003, SLF001


@cache
def _string(text: str) -> tuple[Any, Any]:
    """Return a WGPUStringView and the bytes that it points to, which must stay alive as long."""
    data = text.encode()
    buffer = ffi.from_buffer(data)
    view = ffi.new("WGPUStringView *", {"data": buffer, "length": len(data)})
    return view[0], (view, buffer)
