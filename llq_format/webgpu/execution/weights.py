"""The upload of the weights of a package: checked, and read into staging buffers."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import wgpu
from wgpu.backends.wgpu_native import ffi, lib

from llq_format.metadata.metadata import Part, TensorEntry
from llq_format.package.reader import Package
from llq_format.validation.package_files import PackageFile
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.planning.program import Program

STORAGE = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
"""Usages of buffers of weights and of a program."""

_PIECE_BYTES = 16 << 20
_PIECES = 8
"""Staging buffers, and threads that read into them: one thread reads a fourth of what memory can."""


class Weights:
    """The shards of a package. The caller closes them."""

    def __init__(self, package: Package, program: Program) -> None:
        """Start to check all parts that the program reads; `upload` waits for the checks."""
        self._package = package
        self._uploader = ThreadPoolExecutor(1, thread_name_prefix="llq-weights")
        self._begun: tuple[Device, Future[list[Any]]] | None = None
        self._pool = ThreadPoolExecutor(thread_name_prefix="llq-checks")
        self._checks = [self._pool.submit(package.check_part, *part) for part in parts_of(package, program)]

    def begin(self, device: Device) -> "Future[list[Any]]":
        """Start to upload the shards to a device, after the end of another upload."""
        uploading = self._uploader.submit(self._upload, device)
        self._begun = device, uploading
        return uploading

    def settle(self) -> None:
        """Wait for the end of an upload, whatever its result: then its device can be destroyed."""
        if self._begun is not None:
            wait([self._begun[1]])

    def upload(self, device: Device) -> list[Any]:
        """Return a buffer for every shard, with the complete shard.

        Nothing may be executed before this has returned: then all parts have been checked (LLQ-PROG-22).
        Raises LLQError for the first damaged part, DeviceError if memory is insufficient.
        """
        begun_on, begun = self._begun or (None, None)
        uploading = begun if begun is not None and begun_on is device else self.begin(device)
        buffers = uploading.result()
        for check in self._checks:
            check.result()
        return buffers

    def _upload(self, device: Device) -> list[Any]:
        shards = self._package.metadata.shards
        buffers = [device.buffer(f"shard {n}", shard.byte_length, STORAGE) for n, shard in enumerate(shards)]
        files = [PackageFile(self._package.directory / shard.file) for shard in shards]
        try:
            with device.failures():
                _copy(device, files, buffers)
        finally:
            for file in files:
                file.close()
        return buffers

    def close(self) -> None:
        """Cancel the checks that have not started, and wait for the others and for an upload."""
        self._uploader.shutdown()
        self._pool.shutdown(cancel_futures=True)

    def __enter__(self) -> Self:
        """Return the weights, to be closed at the end of the block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def parts_of(package: Package, program: Program) -> Iterator[tuple[TensorEntry, Part]]:
    """Yield the parts that contain weights of the program, in the order of their shards."""
    ranges: dict[int, list[tuple[int, int]]] = {}
    for shard_range in program.weights.values():
        ranges.setdefault(shard_range.shard, []).append(
            (shard_range.offset, shard_range.offset + shard_range.size)
        )
    parts = [(tensor, part) for tensor in package.metadata.tensors for part in tensor.parts]
    for tensor, part in sorted(parts, key=lambda pair: (pair[1].shard, pair[1].offset)):
        end = part.offset + part.byte_length
        if any(first < end and part.offset < stop for first, stop in ranges.get(part.shard, ())):
            yield tensor, part


@dataclass(frozen=True, slots=True)
class _Piece:
    """A copy of bytes of a shard: offset in the file, offset in the buffer."""

    file: PackageFile
    buffer: Any
    offset: int
    length: int


def _copy(device: Device, files: Sequence[PackageFile], buffers: Sequence[Any]) -> None:
    """Copy files into buffers: threads fill staging buffers while the device empties others."""
    pieces = [
        _Piece(file, buffer, offset, min(_PIECE_BYTES, file.byte_length - offset))
        for file, buffer in zip(files, buffers, strict=True)
        for offset in range(0, file.byte_length, _PIECE_BYTES)
    ]
    usage = wgpu.BufferUsage.MAP_WRITE | wgpu.BufferUsage.COPY_SRC
    size = max(piece.length for piece in pieces)
    free = [device.buffer("staging", size, usage) for _ in pieces[:_PIECES]]
    filling: deque[tuple[Future[None], Any, _Piece]] = deque()
    with ThreadPoolExecutor(len(free), thread_name_prefix="llq-upload") as pool:
        try:
            for piece in pieces:
                if not free:
                    free.append(_empty(device, *filling.popleft()))
                stage = free.pop()
                stage.map_async("WRITE").sync_wait()
                view = _mapped(stage, piece.length)
                filling.append((pool.submit(piece.file.read_into, view, piece.offset), stage, piece))
            while filling:
                free.append(_empty(device, *filling.popleft()))
            for stage in free:
                stage.destroy()
        finally:
            pool.shutdown(cancel_futures=True)  # no thread may write into a destroyed buffer


def _empty(device: Device, reading: "Future[None]", stage: Any, piece: _Piece) -> Any:
    """Have the device copy a staging buffer once it is filled, and return it."""
    reading.result()
    stage.unmap()
    encoder = device.gpu.create_command_encoder(label="upload")
    encoder.copy_buffer_to_buffer(stage, 0, piece.buffer, piece.offset, piece.length)
    device.gpu.queue.submit([encoder.finish()])
    return stage


def _mapped(stage: Any, length: int) -> memoryview:
    """Return a view of the first bytes of a mapped buffer; the method of wgpu copies."""
    address = lib.wgpuBufferGetMappedRange(stage._internal, 0, length)  # noqa: SLF001
    return memoryview(ffi.buffer(address, length)).cast("B")
