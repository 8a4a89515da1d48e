"""One dispatch of a matrix product's kernel on a device with WebGPU's default limits."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import wgpu
from numpy.typing import NDArray

from llq_format.webgpu.execution.adapters import adapter_name, find_adapter, wgpu_feature
from llq_format.webgpu.execution.device import DEFAULT_LIMITS
from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.variants import VARIANTS

Array = NDArray[Any]
_STORAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST


class ProductDevice:
    """A device, and the pipelines of the matrix products in one variant."""

    def __init__(self, adapter: str | None, variant: str) -> None:
        """Request a device of an adapter (see `find_adapter`); skip the test where it lacks the variant."""
        self._variant = next(v for v in VARIANTS if v.name == variant)
        gpu = find_adapter(adapter)
        missing = [name for name in self._variant.features if wgpu_feature(name) not in gpu.features]
        if missing:
            pytest.skip(f"{adapter_name(gpu)} lacks {', '.join(missing)}")
        self.device = gpu.request_device_sync(
            required_features=[wgpu_feature(name) for name in self._variant.features],
            required_limits=DEFAULT_LIMITS,
        )
        self._pipelines: dict[str, Any] = {}

    def pipeline(self, entry_point: str) -> Any:
        """Return the pipeline of an entry point; its module holds that kernel file and the shared ones."""
        if entry_point not in self._pipelines:
            self._pipelines[entry_point] = make_pipeline(self.device, entry_point, self._variant.name)
        return self._pipelines[entry_point]

    def storage(self, data: Array, offset: int = 0) -> Mapping[str, Any]:
        """Return a binding that holds `data` at `offset` of a buffer of its own, NaN around it."""
        raw = np.ascontiguousarray(data).view(np.uint8).reshape(-1)
        size = -(-raw.nbytes // 16) * 16
        content = np.full(offset + size, 0xFF, np.uint8)
        content[offset : offset + raw.nbytes] = raw
        buffer = self.device.create_buffer_with_data(data=content, usage=_STORAGE)
        return {"buffer": buffer, "offset": offset, "size": size}

    def run(
        self,
        entry_point: str,
        bindings: Sequence[Array | Mapping[str, Any]],
        dispatches: Sequence[tuple[Sequence[int], tuple[int, int]]],
    ) -> Array:
        """Dispatch a kernel with each (parameters, grid) in turn and return the last binding as float32."""
        pipeline = self.pipeline(entry_point)
        resources = [b if isinstance(b, Mapping) else self.storage(b) for b in bindings]
        group = self.device.create_bind_group(
            layout=pipeline.get_bind_group_layout(0),
            entries=[{"binding": i, "resource": resource} for i, resource in enumerate(resources)],
        )
        encoder = self.device.create_command_encoder()
        compute = encoder.begin_compute_pass()
        compute.set_pipeline(pipeline)
        compute.set_bind_group(0, group)
        for parameters, grid in dispatches:
            compute.set_bind_group(1, self._parameters(pipeline, parameters))
            compute.dispatch_workgroups(*grid)
        compute.end()
        self.device.queue.submit([encoder.finish()])
        last = resources[-1]
        data = self.device.queue.read_buffer(last["buffer"], last["offset"], last["size"])
        return np.frombuffer(data, np.float32).copy()

    def _parameters(self, pipeline: Any, values: Sequence[int]) -> Any:
        words = np.zeros(64, np.uint32)
        words[: len(values)] = values
        uniform = self.device.create_buffer_with_data(data=words, usage=wgpu.BufferUsage.UNIFORM)
        return self.device.create_bind_group(
            layout=pipeline.get_bind_group_layout(1),
            entries=[{"binding": 0, "resource": {"buffer": uniform, "offset": 0, "size": 256}}],
        )


def make_pipeline(device: Any, entry_point: str, variant: str) -> Any:
    """Return the pipeline of an entry point in a variant, with the layouts that an executor gives it."""
    kinds = {"read": "read-only-storage", "read_write": "storage"}
    storage = [kinds[access] for access in accesses(entry_point)]
    groups = [
        device.create_bind_group_layout(
            entries=[
                {"binding": i, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": kind}}
                for i, kind in enumerate(buffers)
            ]
        )
        for buffers in (storage, ["uniform"])
    ]
    return device.create_compute_pipeline(
        layout=device.create_pipeline_layout(bind_group_layouts=groups),
        compute={
            "module": device.create_shader_module(code=_source(entry_point, variant)),
            "entry_point": entry_point,
        },
    )


@cache
def _source(entry_point: str, name: str) -> str:
    variant = next(v for v in VARIANTS if v.name == name)
    folder = files("llq_format.webgpu") / "kernels"
    kernel = next(s for s in variant.sections if entry_point == s or entry_point.startswith(f"{s}_"))
    sections = (variant.dot, variant.half, kernel)
    texts = [(folder / f"{section}.wgsl").read_text(encoding="utf-8") for section in sections]
    return "\n".join([*variant.directives, *texts])


@cache
def product_device(variant: str) -> ProductDevice:
    """Return the device of the preferred adapter for a variant, one for all tests."""
    return ProductDevice(None, variant)
