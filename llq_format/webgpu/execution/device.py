"""A device of WebGPU within its default limits, and the compute pipelines of one variant of the module."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import wgpu

from llq_format.webgpu.execution.adapters import find_adapter, supports, wgpu_feature
from llq_format.webgpu.execution.device_errors import DeviceError, DeviceLostError, ShaderError
from llq_format.webgpu.planning.program import SLOT_BYTES, Program, ProgramVariant

# WebGPU's default limits; wgpu would otherwise use the larger limits of the adapter.
DEFAULT_LIMITS = {
    "max-storage-buffer-binding-size": 128 << 20,
    "max-buffer-size": 256 << 20,
    "min-storage-buffer-offset-alignment": 256,
    "min-uniform-buffer-offset-alignment": 256,
    "max-storage-buffers-per-shader-stage": 8,
    "max-compute-workgroup-storage-size": 16384,
    "max-compute-invocations-per-workgroup": 256,
    "max-compute-workgroup-size-x": 256,
    "max-compute-workgroup-size-y": 256,
    "max-compute-workgroups-per-dimension": 65535,
    "max-uniform-buffer-binding-size": 65536,
}

_NAGA_REFUSES = {"enable subgroups;"}  # it has the functions without the directive, and an error for it


class Device:
    """A device and its pipelines, which are created at their first use; programs may share it."""

    def __init__(
        self,
        program: Program,
        sections: Mapping[str, str],
        *,
        adapter: Any = None,
        variant: str = "best",
    ) -> None:
        """Request a device with default limits and compile the module of a variant.

        adapter: one of wgpu, or see `find_adapter`; variant: a name of one of the program's, or `best`, the
        last in their order that the adapter has the features of.
        Raises DeviceError, ShaderError (LLQ-WGSL-5).
        """
        self.adapter = find_adapter(adapter) if adapter is None or isinstance(adapter, str) else adapter
        self.variant = _choose(self.adapter, program.variants, variant)
        features = [wgpu_feature(feature) for feature in self.variant.features]
        self.timestamps = "timestamp-query" in self.adapter.features
        if self.timestamps:
            features.append("timestamp-query")
        try:
            self.gpu = self.adapter.request_device_sync(
                label="llq", required_features=features, required_limits=DEFAULT_LIMITS
            )
        except RuntimeError as error:
            raise DeviceError(
                f"{self.name} provides no device with WebGPU's default limits: {error}"
            ) from None
        self._module = self._compile_source(sections)
        self._layouts: dict[tuple[str, ...], Any] = {}
        self._pipelines: dict[str, Future[Any]] = {}
        self.parameters_layout = self.gpu.create_bind_group_layout(
            label="parameters",
            entries=[
                {
                    "binding": 0,
                    "visibility": wgpu.ShaderStage.COMPUTE,
                    "buffer": {"type": "uniform", "min_binding_size": 0},
                }
            ],
        )

    def _compile_source(self, sections: Mapping[str, str]) -> Any:
        directives = [line for line in self.variant.directives if line not in _NAGA_REFUSES]
        source = "\n".join([*directives, *(sections[name] for name in self.variant.sections)])
        try:
            return self.gpu.create_shader_module(label=f"llq {self.variant.name}", code=source)
        except wgpu.GPUValidationError as error:
            self.gpu.destroy()
            raise ShaderError(self.variant.name, _first_error(str(error))) from None

    @property
    def name(self) -> str:
        """Return the name of the adapter."""
        return str(self.adapter.info["device"])

    @property
    def lost(self) -> bool:
        """Return whether the device was lost; all its operations then fail."""
        try:
            self.gpu.create_buffer(label="probe", size=4, usage=wgpu.BufferUsage.COPY_DST).destroy()
        except wgpu.GPUError as error:
            return "lost" in str(error)
        return False

    @contextmanager
    def failures(self) -> Iterator[None]:
        """Turn failures of a block into DeviceLostError if the device was lost."""
        try:
            yield
        except (wgpu.GPUError, RuntimeError) as error:
            if self.lost:
                raise DeviceLostError(f"{self.name}: the device was lost") from error
            raise

    def bindings_layout(self, access: Sequence[str]) -> Any:
        """Return the layout of group 0 for storage bindings of these accesses."""
        key = tuple(access)
        if key not in self._layouts:
            kinds = {"read": "read-only-storage", "read_write": "storage"}
            entries = [
                {
                    "binding": number,
                    "visibility": wgpu.ShaderStage.COMPUTE,
                    "buffer": {"type": kinds[access], "min_binding_size": 0},
                }
                for number, access in enumerate(key)
            ]
            self._layouts[key] = self.gpu.create_bind_group_layout(label=" ".join(key), entries=entries)
        return self._layouts[key]

    def prepare(self, pipelines: Mapping[str, Sequence[str]]) -> None:
        """Begin to compile the pipelines of entry points, given the accesses of their storage bindings.

        They are compiled by threads, for drivers take up to a tenth of a second each; one that is there
        already stays.
        """
        pool = ThreadPoolExecutor(thread_name_prefix="llq-pipelines")
        for entry_point, access in pipelines.items():
            if entry_point not in self._pipelines:
                layouts = [self.bindings_layout(access), self.parameters_layout]
                layout = self.gpu.create_pipeline_layout(label=entry_point, bind_group_layouts=layouts)
                self._pipelines[entry_point] = pool.submit(self._compile, entry_point, layout)
        pool.shutdown(wait=False)

    def pipeline(self, entry_point: str, access: Sequence[str]) -> Any:
        """Return the pipeline of an entry point, compiled at its first use at the latest."""
        self.prepare({entry_point: access})
        return self._pipelines[entry_point].result()

    def _compile(self, entry_point: str, layout: Any) -> Any:
        return self.gpu.create_compute_pipeline(
            label=entry_point, layout=layout, compute={"module": self._module, "entry_point": entry_point}
        )

    def buffer(self, label: str, size: int, usage: int) -> Any:
        """Return a buffer of zeros. Raises DeviceError if memory is insufficient."""
        try:
            with self.failures():
                return self.gpu.create_buffer(label=label, size=size, usage=usage)
        except (wgpu.GPUOutOfMemoryError, MemoryError) as error:
            raise DeviceError(
                f"{self.name} has no memory for buffer {label!r} of {size} bytes: {error}"
            ) from None

    def parameters(self, slot: int, arena: Any) -> Any:
        """Return the bind group of a slot of a parameter arena."""
        resource = {"buffer": arena, "offset": slot * SLOT_BYTES, "size": SLOT_BYTES}
        return self.gpu.create_bind_group(
            label=f"parameters {slot}",
            layout=self.parameters_layout,
            entries=[{"binding": 0, "resource": resource}],
        )


def _first_error(log: str) -> str:
    """Return the first error in a message of wgpu, which quotes the source below it."""
    _, found, rest = log.partition(" error: ")
    return (rest if found else log).strip().splitlines()[0]


def _choose(adapter: Any, variants: Sequence[ProgramVariant], name: str) -> ProgramVariant:
    possible = [variant for variant in variants if supports(adapter, variant)]
    if name == "best":
        if not possible:
            raise DeviceError("the program has no variant for this device, not even one without features")
        return possible[-1]
    for variant in variants:
        if variant.name == name:
            if variant in possible:
                return variant
            raise DeviceError(
                f"{adapter.info['device']} cannot execute variant {name!r}: it lacks one of the features "
                f"{', '.join(variant.features)}"
            )
    raise DeviceError(f"no variant {name!r}; the program has {', '.join(v.name for v in variants)}")


__all__ = ["DEFAULT_LIMITS", "Device", "DeviceError", "DeviceLostError", "ShaderError", "find_adapter"]
