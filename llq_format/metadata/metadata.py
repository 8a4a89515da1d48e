"""metadata.json as typed values (spec: Metadata; Canonical encoding, Digest)."""

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from llq_format.format.layout import VERSION_TEXT, Dtype, rows_cols
from llq_format.metadata.canonical_json import canonical
from llq_format.metadata.model import ATTENTION_AFFINE, Model
from llq_format.metadata.schema import check_attention_affine

FILE_NAME = "metadata.json"
MAX_BYTES = 1 << 24
_NO_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the package: its name, length in bytes and SHA-256."""

    file: str
    byte_length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Tokenizer(FileEntry):
    """tokenizer.json and its properties for the model."""

    bos_token_id: int | None
    eos_token_ids: tuple[int, ...]
    chat_template: str | None
    special_tokens: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A run of whole rows of a tensor, contiguous in one shard."""

    shard: int
    offset: int
    byte_length: int
    first_row: int
    num_rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """A tensor: its name, dtype, shape and the places of its rows."""

    name: str
    dtype: Dtype
    shape: tuple[int, ...]
    parts: tuple[Part, ...]
    extensions: dict[str, Any] | None = None
    extras: dict[str, Any] | None = None

    @property
    def rows(self) -> int:
        """Rows of the tensor."""
        return rows_cols(self.shape)[0]

    @property
    def cols(self) -> int:
        """Columns of the tensor; 1 for a tensor of one dimension."""
        return rows_cols(self.shape)[1]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The index of a package; its fields match the root object of metadata.json."""

    stem: str
    shard_limit: int
    shards: tuple[FileEntry, ...]
    tensors: tuple[TensorEntry, ...]
    model: Model | None = None
    tokenizer: Tokenizer | None = None
    module: FileEntry | None = None
    program: FileEntry | None = None
    extensions_used: tuple[str, ...] | None = None
    extensions_required: tuple[str, ...] | None = None
    extensions: dict[str, Any] | None = None
    extras: dict[str, Any] | None = None
    digest: str = field(default=_NO_DIGEST, compare=False)

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """All files that the metadata lists."""
        return (*self.shards, *(f for f in (self.tokenizer, self.module, self.program) if f is not None))

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Create metadata from a root object that satisfies the schema."""
        members: dict[str, Any] = {name: item for name, item in value.items() if name != "version"}
        members["shards"] = tuple(FileEntry(**entry) for entry in value["shards"])
        members["tensors"] = tuple(_tensor(entry) for entry in value["tensors"])
        if "model" in value:
            members["model"] = Model.from_json(with_affine(value))
        if "tokenizer" in value:
            entry = value["tokenizer"]
            members["tokenizer"] = Tokenizer(**{**entry, "eos_token_ids": tuple(entry["eos_token_ids"])})
        for name in ("module", "program"):
            if name in value:
                members[name] = FileEntry(**value[name])
        for name in ("extensions_used", "extensions_required"):
            if name in value:
                members[name] = tuple(value[name])
        return cls(**members)

    def to_json(self) -> dict[str, Any]:
        """Return the root object; members that are None are omitted."""
        value = _without_none(asdict(self))
        value["tensors"] = [_without_none(tensor) for tensor in value["tensors"]]
        if self.tokenizer is not None and self.tokenizer.special_tokens is None:
            del value["tokenizer"]["special_tokens"]
        if self.model is not None:
            value["model"] = self.model.to_json()
        return {"version": VERSION_TEXT, **_lists(value)}

    def sealed(self) -> Self:
        """Return the metadata with its digest (rule LLQ-CANON-2)."""
        return replace(self, digest=digest(self.to_json()))

    def to_bytes(self) -> bytes:
        """Return the canonical metadata.json, with its digest (rules LLQ-CANON-1 and LLQ-CANON-2)."""
        return canonical(self.sealed().to_json())


def digest(value: dict[str, Any]) -> str:
    """Return the digest of a root object; its member `digest` is ignored (rule LLQ-CANON-2)."""
    return hashlib.sha256(canonical({**value, "digest": _NO_DIGEST})).hexdigest()


def with_affine(value: dict[str, Any]) -> dict[str, Any]:
    """Return `model` with the data of `LLQ_attention_affine` in its layers, as far as the data conform."""
    model: dict[str, Any] = value["model"]
    data = value.get("extensions", {}).get(ATTENTION_AFFINE)
    if ATTENTION_AFFINE not in value.get("extensions_required", ()) or check_attention_affine(data):
        return model
    layers = [
        {**layer, "attention": {**layer["attention"], **choices}}
        for layer, choices in zip(model["layers"], data["layers"], strict=False)
    ]
    return {**model, "layers": layers + model["layers"][len(layers) :]}


def _tensor(entry: dict[str, Any]) -> TensorEntry:
    parts = tuple(Part(**part) for part in entry["parts"])
    return TensorEntry(**{**entry, "shape": tuple(entry["shape"]), "parts": parts})


def _without_none(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _lists(value: Any) -> Any:
    """Return a JSON value with lists for tuples."""
    if isinstance(value, dict):
        return {name: _lists(item) for name, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value
