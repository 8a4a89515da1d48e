"""Matrix products on a WebGPU device, timed by timestamp queries, with reads that no cache answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import wgpu

from llq_format.format.layout import ceil_div
from llq_format.webgpu.execution.adapters import find_adapter
from llq_format.webgpu.execution.device import DEFAULT_LIMITS
from llq_format.webgpu.planning.bindings import accesses, binding_names
from llq_format.webgpu.planning.variants import VARIANTS

BINDING = 128 << 20
TOKENS = 256
WIDEST = 16384
_KINDS = {"read": "read-only-storage", "read_write": "storage"}
_USAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST


@dataclass(frozen=True)
class Work:
    """A pipeline, and the dispatches that make one run of it: bind groups, parameters and grid of each.

    Runs take their bind groups in turn, so that each reads memory that none of the last ones read.
    """

    pipeline: Any
    groups: Sequence[Sequence[Any]]
    parameters: Any
    grid: tuple[int, int]


class ProductBench:
    """A device with random weights and vectors, and pipelines of one variant."""

    def __init__(self, adapter: str | None, variant: str, pool_mib: int) -> None:
        """Fill `pool_mib` MiB with random weights, in buffers of at most 128 MiB."""
        self.variant = next(candidate for candidate in VARIANTS if candidate.name == variant)
        gpu = find_adapter(adapter)
        self.name = str(gpu.info["device"])
        self.device = gpu.request_device_sync(
            required_features=["timestamp-query", *self.variant.features], required_limits=DEFAULT_LIMITS
        )
        rng = np.random.default_rng(5)
        self.buffer_bytes = min(pool_mib << 20, BINDING)
        words = rng.integers(0, 1 << 32, self.buffer_bytes // 4, np.uint32)
        self._pool = [
            self._filled(np.roll(words, 977 * i)) for i in range((pool_mib << 20) // self.buffer_bytes)
        ]
        blocks = self.buffer_bytes // 2048
        values = rng.normal(size=TOKENS * WIDEST).astype(np.float16).astype(np.float32)
        self._buffers = {
            "scale": self._filled(np.exp2(rng.uniform(-8, 0, blocks)).astype(np.float16)),
            "zero_point": self._filled(rng.integers(-3, 12, blocks, np.int8)),
            "codes": self._filled(rng.integers(-127, 128, TOKENS * WIDEST, np.int8)),
            "sums": self._filled(rng.integers(-500, 500, TOKENS * WIDEST // 64, np.int32)),
            "scales": self._filled(rng.random(TOKENS, np.float32)),
            "rounded": self._filled(values),
            "rounded_sums": self._filled(values.reshape(-1, 64).sum(axis=1)),
            "choice": self._filled(np.zeros(64, np.uint32)),
            "y": self.device.create_buffer(size=BINDING, usage=_USAGE),
        }
        self._queries = self.device.create_query_set(type="timestamp", count=2)
        usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
        self._times = self.device.create_buffer(size=16, usage=usage)

    def product(self, entry_point: str, rows: int, cols: int, tile: tuple[int, int], tokens: int = 1) -> Work:
        """Return one product of an INT4 matrix; matrices larger than a binding are cut into equal parts."""
        across = ceil_div(cols, 64)
        cuts = ceil_div(ceil_div(rows, 64) * across * 2048, self.buffer_bytes)
        part = rows // cuts
        state = self._filled(np.array([0, tokens, *[0] * 62], np.uint32))
        words = [part, across, 0, 0, part, WIDEST // 64, 0, 0]
        grid = (ceil_div(part, tile[0]), ceil_div(tokens, tile[1]))
        names = {**self._buffers, "state": state}
        pipeline = self._kernel(entry_point)
        buffers = [names[name] for name in binding_names(entry_point)[1:]]
        groups = self._groups(pipeline, ceil_div(part, 64) * across * 2048, cuts, buffers)
        return Work(pipeline, groups, self._parameters(pipeline, words), grid)

    def raw_product(self, rows: int, cols: int, tile_rows: int) -> Work:
        """Return one product of a binary16 matrix."""
        words = [rows, cols, 0, rows, WIDEST, 1]
        grid = (ceil_div(rows, tile_rows), 1)
        pipeline = self._kernel("matvec_raw")
        groups = self._groups(pipeline, rows * cols * 2, 1, [self._buffers["rounded"], self._buffers["y"]])
        return Work(pipeline, groups, self._parameters(pipeline, words), grid)

    def raw_read(self, size: int, steps: int) -> Work:
        """Return one read of `size` bytes, in equal parts where a binding cannot hold them."""
        cuts = ceil_div(size, self.buffer_bytes)
        code = (Path(__file__).parent / "raw_read.wgsl").read_text(encoding="utf-8")
        pipeline = self._pipeline("raw_read", ["read", "read_write"], code)
        grid = (ceil_div(size // cuts, 4096 * steps), 1)
        groups = self._groups(pipeline, size // cuts, cuts, [self._buffers["y"]])
        return Work(pipeline, groups, self._parameters(pipeline, [steps]), grid)

    def microseconds(self, work: Work, runs: int) -> float:
        """Return the time of one run of `runs` in one pass, each waiting for the previous one."""
        encoder = self.device.create_command_encoder()
        timestamps = {
            "query_set": self._queries,
            "beginning_of_pass_write_index": 0,
            "end_of_pass_write_index": 1,
        }
        compute = encoder.begin_compute_pass(timestamp_writes=timestamps)
        compute.set_pipeline(work.pipeline)
        compute.set_bind_group(1, work.parameters)
        for run in range(runs):
            for group in work.groups[run % len(work.groups)]:
                compute.set_bind_group(0, group)
                compute.dispatch_workgroups(*work.grid)
        compute.end()
        encoder.resolve_query_set(self._queries, 0, 2, self._times, 0)
        self.device.queue.submit([encoder.finish()])
        begin, end = np.frombuffer(self.device.queue.read_buffer(self._times), np.uint64).tolist()
        return float(end - begin) / runs / 1000

    def _kernel(self, entry_point: str) -> Any:
        """Return the pipeline of an entry point; its module holds that kernel file and the shared ones."""
        variant, folder = self.variant, files("llq_format.webgpu") / "kernels"
        kernel = next(s for s in variant.sections if entry_point == s or entry_point.startswith(f"{s}_"))
        sections = (variant.dot, variant.half, kernel)
        texts = [(folder / f"{section}.wgsl").read_text(encoding="utf-8") for section in sections]
        code = "\n".join([*variant.directives, *texts])
        return self._pipeline(entry_point, accesses(entry_point), code)

    def _groups(self, pipeline: Any, size: int, cuts: int, buffers: list[Any]) -> list[list[Any]]:
        """Return the bind groups of each run: `cuts` of them, each with another range of the pool."""
        step = ceil_div(size, 256) * 256
        places = [
            (buffer, place * step) for place in range(self.buffer_bytes // step) for buffer in self._pool
        ]
        groups = []
        for buffer, offset in places[:256]:
            resources = [
                {"buffer": buffer, "offset": offset, "size": size},
                *({"buffer": buffer, "offset": 0, "size": buffer.size} for buffer in buffers),
            ]
            entries = [{"binding": i, "resource": resource} for i, resource in enumerate(resources)]
            layout = pipeline.get_bind_group_layout(0)
            groups.append(self.device.create_bind_group(layout=layout, entries=entries))
        return [groups[i : i + cuts] for i in range(0, len(groups) - cuts + 1, cuts)]

    def _parameters(self, pipeline: Any, words: list[int]) -> Any:
        uniform = np.zeros(64, np.uint32)
        uniform[: len(words)] = words
        buffer = self.device.create_buffer_with_data(data=uniform, usage=wgpu.BufferUsage.UNIFORM)
        resource = {"buffer": buffer, "offset": 0, "size": 256}
        return self.device.create_bind_group(
            layout=pipeline.get_bind_group_layout(1), entries=[{"binding": 0, "resource": resource}]
        )

    def _pipeline(self, entry_point: str, access: Sequence[str], code: str) -> Any:
        groups = [
            self.device.create_bind_group_layout(
                entries=[
                    {"binding": i, "visibility": wgpu.ShaderStage.COMPUTE, "buffer": {"type": kind}}
                    for i, kind in enumerate(kinds)
                ]
            )
            for kinds in ([_KINDS[letter] for letter in access], ["uniform"])
        ]
        return self.device.create_compute_pipeline(
            layout=self.device.create_pipeline_layout(bind_group_layouts=groups),
            compute={"module": self.device.create_shader_module(code=code), "entry_point": entry_point},
        )

    def _filled(self, data: Any) -> Any:
        return self.device.create_buffer_with_data(
            data=np.ascontiguousarray(data).view(np.uint8), usage=_USAGE
        )
