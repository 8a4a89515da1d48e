"""The executor: executes a program on a device (spec: Execution program)."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import wgpu
from numpy.typing import NDArray

from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import ContextError
from llq_format.package.reader import Package
from llq_format.webgpu.execution.cache_record import CacheRecord
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.encoding import Prepared, encode
from llq_format.webgpu.execution.weights import STORAGE, Weights
from llq_format.webgpu.planning.program import SLOT_BYTES, Dispatch, Program, ShardRange

CHOSEN_WORD = 2
"""Index of the word of `state` that contains the last token."""


class Executor:
    """A package on a device, with one sequence."""

    def __init__(
        self,
        package: Package | None,
        program: Program,
        device: Device,
        context: int | None = None,
        weights: Weights | list[Any] | None = None,
    ) -> None:
        """Upload the weights and create the buffers.

        package: the package of the shards; None for a program without weights.
        weights: those of the package, where their check has begun, or the shards of another executor on the
            device.
        context: positions of the KV cache, at most the program's context_length; by default that, or 2048.
        Raises LLQError for damaged weights, DeviceError if memory is insufficient, ContextError.
        """
        self.program = program
        self.device = device
        self.context = min(program.context_length, 2048) if context is None else context
        if not 1 <= self.context <= program.context_length:
            raise ContextError(
                f"context of {self.context} positions; this program supports 1 to {program.context_length}"
            )
        self._record = CacheRecord()
        self._package = package
        self._buffers: dict[str, Any] = {}
        self._prepared: dict[str, list[Prepared]] = {}
        device.prepare(program.pipelines)  # while weights are read and checked
        self._shards = weights if isinstance(weights, list) else self._uploaded(weights)
        self._arena = self._parameters()
        self._parameter_groups: dict[int, Any] = {}

    # Sequences.

    @property
    def position(self) -> int:
        """Return the number of positions that were computed."""
        return len(self._record)

    def start(self) -> None:
        """Start a new sequence; the contents of the KV cache are discarded."""
        self._record.cut(0)

    def resume(self, ids: Sequence[int], *, exact: bool = True) -> Sequence[int]:
        """Start a sequence with what the KV cache holds of it, and return the ids still to be computed.

        exact: keep only what computing all ids would compute, bit for bit.
        """
        common = self._record.common_chunks(ids, self.program.chunk) if exact else self._record.common(ids)
        self._record.cut(common)
        return ids[common:]

    def advance(self, tokens: Sequence[int]) -> None:
        """Count positions that passes of the caller computed."""
        self._record.add(tokens)

    def fork(self) -> "Executor":
        """Return an executor with a copy of this sequence, which shares the device and the shards.

        All buffers are copied, wherever keys and values are.
        """
        fork = Executor(self._package, self.program, self.device, self.context, self._shards)
        with self.device.failures():
            encoder = self.device.gpu.create_command_encoder(label="fork")
            for name, buffer in self._buffers.items():
                encoder.copy_buffer_to_buffer(buffer, 0, fork.resource(name), 0, buffer.size)
            self.device.gpu.queue.submit([encoder.finish()])
        fork._record = self._record.copy()
        return fork

    def dispose(self) -> None:
        """Free the buffers of this executor, but not the shards."""
        for buffer in (*self._buffers.values(), self._arena):
            buffer.destroy()
        self._buffers.clear()
        self._prepared.clear()

    def forward(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Compute the next positions and return their logits, float32 [tokens, vocab_size]."""
        runs = []
        for chunk in self.chunks(tokens):
            with self.device.failures():
                self.write_chunk(chunk)
                single = len(chunk) == 1
                self._submit(("decode",) if single else ("prefill", "logits"), len(chunk))
            self._record.add(chunk)
            logits = self.read("logits" if single else "all_logits", len(chunk) * self._vocab)
            runs.append(logits.reshape(len(chunk), -1))
        return np.concatenate(runs)

    def prefill(self, tokens: Sequence[int]) -> None:
        """Compute the next positions; `next_token` then gives the token that follows them."""
        chunks = list(self.chunks(tokens))
        for number, chunk in enumerate(chunks):
            with self.device.failures():
                self.write_chunk(chunk)
                self._submit(("prefill", "last") if number == len(chunks) - 1 else ("prefill",), len(chunk))
            self._record.add_chunk(chunk)

    @property
    def metadata(self) -> Metadata | None:
        """Return the metadata of the package, None for a program without weights."""
        return None if self._package is None else self._package.metadata

    @property
    def _vocab(self) -> int:
        return self.program.buffers["logits"].bytes // 4

    def chunks(self, tokens: Sequence[int]) -> Iterator[Sequence[int]]:
        """Check token ids and cut them into chunks. Raises ValueError or ContextError."""
        ids = np.asarray(tokens, np.int64)
        if ids.size == 0 or ids.min() < 0 or ids.max() >= self._vocab:
            raise ValueError(f"expected at least one token id, each 0 to {self._vocab - 1}")
        if self.position + len(ids) > self.context:
            raise ContextError(
                f"{self.position + len(ids)} positions do not fit into a context of {self.context}"
            )
        for first in range(0, len(ids), self.program.chunk):
            yield [int(token) for token in ids[first : first + self.program.chunk]]

    def write_chunk(self, chunk: Sequence[int]) -> None:
        """Write the ids of a chunk, and the position where it begins, for the next pass."""
        queue = self.device.gpu.queue
        queue.write_buffer(self.resource("tokens"), 0, np.array(chunk, np.uint32))
        queue.write_buffer(self.resource("state"), 0, np.array([self.position, len(chunk)], np.uint32))

    # Runs.

    def _submit(self, passes: Iterable[str], tokens: int) -> None:
        encoder = self.device.gpu.create_command_encoder(label=" ".join(passes))
        self.encode(encoder, passes, tokens)
        self.device.gpu.queue.submit([encoder.finish()])

    def encode(self, encoder: Any, passes: Iterable[str], tokens: int) -> None:
        """Encode passes of the program, one after another, for a chunk of tokens."""
        compute = encoder.begin_compute_pass(label=" ".join(passes))
        for name in passes:
            encode(compute, self.prepared(name), tokens)
        compute.end()

    def prepared(self, name: str) -> list[Prepared]:
        """Return the dispatches of a pass, ready to be encoded."""
        if name not in self._prepared:
            self._prepared[name] = [self._prepare(dispatch) for dispatch in self.program.passes[name]]
        return self._prepared[name]

    def _prepare(self, dispatch: Dispatch) -> Prepared:
        access = self.program.pipelines[dispatch.entry_point]
        pipeline = self.device.pipeline(dispatch.entry_point, access)
        entries = [
            {"binding": number, "resource": self._binding(name)}
            for number, name in enumerate(dispatch.bindings)
        ]
        bindings = self.device.gpu.create_bind_group(
            label=dispatch.label, layout=self.device.bindings_layout(access), entries=entries
        )
        slot = dispatch.parameters
        if slot not in self._parameter_groups:
            self._parameter_groups[slot] = self.device.parameters(slot, self._arena)
        return Prepared(dispatch, pipeline, bindings, self._parameter_groups[slot])

    def _binding(self, name: str) -> dict[str, Any]:
        shard_range = self.program.weights.get(name)
        if isinstance(shard_range, ShardRange):
            return {
                "buffer": self._shards[shard_range.shard],
                "offset": shard_range.offset,
                "size": shard_range.size,
            }
        buffer = self.resource(name)
        return {"buffer": buffer, "offset": 0, "size": buffer.size}

    # Buffers.

    def resource(self, name: str) -> Any:
        """Return a buffer of the program by name, created at its first use."""
        if name not in self._buffers:
            planned = self.program.buffers[name]
            buffer = self.device.buffer(name, planned.size(self.context), STORAGE)
            if planned.init == "rope":
                self.device.gpu.queue.write_buffer(buffer, 0, self._rope_table())
            self._buffers[name] = buffer
        return self._buffers[name]

    def write(self, name: str, data: NDArray[Any]) -> None:
        """Write the first bytes of a buffer."""
        self.device.gpu.queue.write_buffer(self.resource(name), 0, np.ascontiguousarray(data))

    def run(self, name: str, tokens: int) -> None:
        """Run a pass for a chunk of tokens, whose number `state` must contain."""
        self._submit((name,), tokens)

    def read(self, name: str, words: int, dtype: type[np.generic] = np.float32) -> NDArray[Any]:
        """Return the first words of a buffer."""
        with self.device.failures():
            data = self.device.gpu.queue.read_buffer(self.resource(name), 0, 4 * words)
        return np.frombuffer(data, dtype).copy()

    def memory(self) -> dict[str, int]:
        """Return bytes on the device by purpose."""
        bytes_ = {"weights": sum(shard.size for shard in self._shards), "parameters": self._arena.size}
        for name, buffer in self._buffers.items():
            purpose = self.program.buffers[name].purpose
            bytes_[purpose] = bytes_.get(purpose, 0) + buffer.size
        return bytes_

    def _uploaded(self, weights: Weights | None) -> list[Any]:
        if self._package is None:
            return []
        with weights or Weights(self._package, self.program) as checked:
            return checked.upload(self.device)

    def _rope_table(self) -> NDArray[np.float32]:
        """Return cos and sin of position · inv_freq, float32 [context, head_dim / 2, 2] (LLQ-DEC-6)."""
        if self._package is None or "rope.inv_freq" not in self._package:
            return np.zeros(self.program.buffers["rope"].size(self.context) // 4, np.float32)
        inv_freq = self._package.get_tensor("rope.inv_freq").astype(np.float64)
        angles = np.arange(self.context, dtype=np.float64)[:, None] * inv_freq
        return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32)

    def _parameters(self) -> Any:
        arena = self.device.buffer(
            "parameters",
            SLOT_BYTES * len(self.program.parameters),
            wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST,
        )
        data = b"".join(_words(slot).ljust(SLOT_BYTES, b"\0") for slot in self.program.parameters)
        self.device.gpu.queue.write_buffer(arena, 0, data)
        return arena


def _words(slot: Sequence[int | float]) -> bytes:
    return b"".join(
        struct.pack("<f", word) if isinstance(word, float) else struct.pack("<I", word) for word in slot
    )
