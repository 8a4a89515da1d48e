"""One dispatch of a kernel on a device with WebGPU's default limits, and the contents of its buffers."""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import wgpu
from numpy.typing import NDArray

from llq_format.webgpu.execution.device import DEFAULT_LIMITS, find_adapter
from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.module import kernel_sections
from llq_format.webgpu.planning.variants import AFFINE_KERNELS, SHARED, VARIANTS

Array = NDArray[Any]

_STORAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
_NAGA_FEATURES = {"subgroups": "subgroup"}
_NAGA_REFUSES = {"enable subgroups;"}  # naga has the functions without the directive, and an error for it
_CALLS = {"gated_int8": ("activate", "matvec_int8")}
"""Sections with entry points of their own whose functions a section calls."""

_MARGIN = 256
"""Bytes of NaN after each binding's data, within the binding."""

VARIANT_NAMES = tuple(variant.name for variant in VARIANTS)


class Bench:
    """A device, and the pipelines of kernels in one variant."""

    def __init__(self, variant: str, adapter: str | None = None) -> None:
        """Request a device of an adapter (see `find_adapter`) with the features of a variant."""
        definition = next(v for v in VARIANTS if v.name == variant)
        features = [_NAGA_FEATURES.get(feature, feature) for feature in definition.features]
        self.device = find_adapter(adapter).request_device_sync(
            required_features=features, required_limits=DEFAULT_LIMITS
        )
        self.variant = definition
        self._pipelines: dict[str, Any] = {}

    def pipeline(self, entry_point: str) -> Any:
        """Return the pipeline of an entry point, with the layouts that an executor gives it."""
        if entry_point not in self._pipelines:
            storage = ["storage" if a == "read_write" else "read-only-storage" for a in accesses(entry_point)]
            groups = [
                self.device.create_bind_group_layout(
                    entries=[
                        {"binding": i, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": kind}}
                        for i, kind in enumerate(buffers)
                    ]
                )
                for buffers in (storage, ["uniform"])
            ]
            self._pipelines[entry_point] = self.device.create_compute_pipeline(
                layout=self.device.create_pipeline_layout(bind_group_layouts=groups),
                compute={"module": self._module(entry_point), "entry_point": entry_point},
            )
        return self._pipelines[entry_point]

    def _module(self, entry_point: str) -> Any:
        """Return a module of the section that has the entry point, after those whose functions it calls."""
        sections, variant = kernel_sections(affine=True), self.variant
        shared = (variant.dot, variant.half, variant.reduce, *SHARED)
        names = (*variant.sections, *AFFINE_KERNELS)
        (own,) = (name for name in names if f"fn {entry_point}(" in sections[name])
        text = [line for line in variant.directives if line not in _NAGA_REFUSES]
        text += [sections[name] for name in (*shared, *_CALLS.get(own, ()), own)]
        return self.device.create_shader_module(code="\n".join(text))

    def dispatch(
        self,
        entry_point: str,
        bindings: Sequence[Array],
        parameters: Sequence[float],
        grid: tuple[int, int, int],
    ) -> list[Array]:
        """Dispatch once and return what each binding then holds.

        Behind the data of each binding are NaN (all bits set).
        Raises AssertionError where a kernel wrote there.
        """
        pipeline = self.pipeline(entry_point)
        buffers = [self._buffer(data) for data in bindings]
        words = b"".join(struct.pack("<f" if isinstance(p, float) else "<I", p) for p in parameters)
        uniform = self.device.create_buffer_with_data(
            data=words.ljust(256, b"\xff"), usage=wgpu.BufferUsage.UNIFORM
        )
        encoder = self.device.create_command_encoder()
        compute = encoder.begin_compute_pass()
        compute.set_pipeline(pipeline)
        for number, entries in enumerate((buffers, [uniform])):
            group = self.device.create_bind_group(
                layout=pipeline.get_bind_group_layout(number),
                entries=[{"binding": i, "resource": {"buffer": buffer}} for i, buffer in enumerate(entries)],
            )
            compute.set_bind_group(number, group)
        compute.dispatch_workgroups(*grid)
        compute.end()
        self.device.queue.submit([encoder.finish()])
        return [
            self._read(f"{entry_point} binding {i}", buffer, data)
            for i, (buffer, data) in enumerate(zip(buffers, bindings, strict=True))
        ]

    def _buffer(self, data: Array) -> Any:
        content = np.full(-(-data.nbytes // _MARGIN) * _MARGIN + _MARGIN, 0xFF, np.uint8)
        content[: data.nbytes] = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
        return self.device.create_buffer_with_data(data=content, usage=_STORAGE)

    def _read(self, name: str, buffer: Any, data: Array) -> Array:
        content = np.frombuffer(self.device.queue.read_buffer(buffer), np.uint8)
        assert (content[data.nbytes :] == 0xFF).all(), f"{name} was written past its end"  # noqa: S101
        return content[: data.nbytes].view(data.dtype).reshape(data.shape).copy()


@cache
def bench(variant: str, adapter: str | None = None) -> Bench:
    """Return the device of a variant, one for all tests."""
    return Bench(variant, adapter)


def run(  # noqa: PLR0913  # the parameters of a dispatch
    entry_point: str,
    bindings: Sequence[Array],
    parameters: Sequence[float],
    grid: Sequence[int],
    variant: str = "portable",
    *,
    repeats: int = 1,
) -> list[Array]:
    """Dispatch a kernel and return the contents of each binding afterwards, in order.

    parameters: int for u32, float for f32; grid: one to three dimensions. repeats: dispatch that many
    times on the same data, and raise AssertionError if results are not the same bits each time.
    """
    x, y, z = (*grid, 1, 1)[:3]
    device = bench(variant)
    results = device.dispatch(entry_point, bindings, parameters, (x, y, z))
    for number in range(1, repeats):
        repeated = device.dispatch(entry_point, bindings, parameters, (x, y, z))
        for first, second in zip(results, repeated, strict=True):
            assert first.tobytes() == second.tobytes(), f"{entry_point}: run {number} differs"  # noqa: S101
    return results


def unused(*shape: int, dtype: Any = np.float32) -> Array:
    """Return an array of NaN (all bits set) for a kernel to fill."""
    empty: Array = np.full(int(np.prod(shape)) * 4, 0xFF, np.uint8).view(dtype).reshape(shape)
    return empty


def halves(values: Array) -> Array:
    """Return float16 values as u32 words, the first in the low half, an odd one followed by NaN."""
    flat = values.astype(np.float16).reshape(-1).view(np.uint16)
    return np.append(flat, np.full(flat.size % 2, 0xFFFF, np.uint16)).view(np.uint32)
