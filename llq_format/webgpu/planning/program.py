"""program.json as typed values (spec: Execution program)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from llq_format.metadata.canonical_json import canonical

FILE_NAME = "program.json"
VERSION = "1.0"
SLOT_BYTES = 256
"""The parameters of a dispatch are in slots of the parameter arena, each bindable by itself."""

Purpose = Literal["state", "activation", "kv_cache", "table"]
Init = Literal["zero", "rope"]


@dataclass(frozen=True, slots=True)
class ShardRange:
    """Bytes of a shard: a section of a tensor's part, or a run of its block rows."""

    shard: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer of the executor: `bytes`, and `bytes_per_position` for each position of the context."""

    purpose: Purpose
    bytes: int
    bytes_per_position: int = 0
    init: Init = "zero"

    def size(self, context: int) -> int:
        """Return the size for a context of `positions` positions, a multiple of 4."""
        return -(-(self.bytes + self.bytes_per_position * context) // 4) * 4


@dataclass(frozen=True, slots=True)
class PerTokens:
    """A grid dimension of ceil(tokens / tile) workgroups."""

    tile: int

    def count(self, tokens: int) -> int:
        """Return the number of workgroups."""
        return -(-tokens // self.tile)


Dimension = int | PerTokens
Grid = tuple[Dimension, Dimension, Dimension]


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One dispatch: an entry point, its storage bindings in order, a parameter slot and a grid."""

    label: str
    entry_point: str
    bindings: tuple[str, ...]
    parameters: int
    workgroups: Grid

    def grid(self, tokens: int) -> tuple[int, int, int]:
        """Return the number of workgroups for a chunk of tokens."""
        x, y, z = (d.count(tokens) if isinstance(d, PerTokens) else d for d in self.workgroups)
        return x, y, z


@dataclass(frozen=True, slots=True)
class ProgramVariant:
    """A composition of the module with its required device features."""

    name: str
    features: tuple[str, ...]
    language: tuple[str, ...]
    directives: tuple[str, ...]
    sections: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """The execution program of a package.

    chunk: the maximum number of tokens of one prefill step; context_length: the maximum context;
    parameters: the words of each slot; pipelines: for each entry point the access of its storage bindings.
    """

    chunk: int
    context_length: int
    kv_cache: Literal["f16", "f32"]
    variants: tuple[ProgramVariant, ...]
    weights: Mapping[str, ShardRange]
    buffers: Mapping[str, Buffer]
    pipelines: Mapping[str, tuple[Literal["read", "read_write"], ...]]
    parameters: tuple[tuple[int | float, ...], ...]
    passes: Mapping[str, tuple[Dispatch, ...]]

    def to_json(self) -> dict[str, Any]:
        """Return the root object."""
        return {
            "version": VERSION,
            "chunk": self.chunk,
            "context_length": self.context_length,
            "kv_cache": self.kv_cache,
            "variants": [_lists(asdict(variant)) for variant in self.variants],
            "weights": {name: asdict(shard_range) for name, shard_range in self.weights.items()},
            "buffers": {name: asdict(buffer) for name, buffer in self.buffers.items()},
            "pipelines": {name: list(access) for name, access in self.pipelines.items()},
            "parameters": [
                [{"f32": word} if isinstance(word, float) else word for word in slot]
                for slot in self.parameters
            ],
            "passes": {
                name: [_dispatch_json(dispatch) for dispatch in run] for name, run in self.passes.items()
            },
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Create a program from a root object that satisfies the schema."""
        return cls(
            value["chunk"],
            value["context_length"],
            value["kv_cache"],
            tuple(ProgramVariant(**_tuples(variant)) for variant in value["variants"]),
            {name: ShardRange(**shard_range) for name, shard_range in value["weights"].items()},
            {name: Buffer(**buffer) for name, buffer in value["buffers"].items()},
            {name: tuple(access) for name, access in value["pipelines"].items()},
            tuple(
                tuple(float(word["f32"]) if isinstance(word, dict) else word for word in slot)
                for slot in value["parameters"]
            ),
            {name: tuple(_dispatch(dispatch) for dispatch in run) for name, run in value["passes"].items()},
        )

    def to_bytes(self) -> bytes:
        """Return the canonical program.json."""
        return canonical(self.to_json())


def _dispatch_json(dispatch: Dispatch) -> dict[str, Any]:
    value = _lists(asdict(dispatch))
    value["workgroups"] = [
        {"tokens_per_workgroup": d.tile} if isinstance(d, PerTokens) else d for d in dispatch.workgroups
    ]
    return value


def _dispatch(value: Mapping[str, Any]) -> Dispatch:
    x, y, z = (
        PerTokens(d["tokens_per_workgroup"]) if isinstance(d, dict) else d for d in value["workgroups"]
    )
    return Dispatch(
        value["label"], value["entry_point"], tuple(value["bindings"]), value["parameters"], (x, y, z)
    )


def _lists(members: dict[str, Any]) -> dict[str, Any]:
    return {name: list(item) if isinstance(item, tuple) else item for name, item in members.items()}


def _tuples(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(item) if isinstance(item, list) else item for name, item in members.items()}
