"""The writer: writes a package tensor by tensor in canonical order.

All files are written to a work directory next to the target, flushed to disk, and renamed last (LLQ-WRITE-2),
so that an interrupted writer leaves no package.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from llq_format.files.file_replacement import naming, write_file
from llq_format.files.posix_only import require_posix
from llq_format.files.work_directory import WorkDirectory, sync_directory
from llq_format.format.layout import SHARD_LIMIT_DEFAULT, Dtype
from llq_format.format.placement import Placed, place
from llq_format.format.quantize import PackedTensor
from llq_format.format.shard import PREAMBLE
from llq_format.metadata.findings import LLQError
from llq_format.metadata.metadata import (
    FILE_NAME,
    MAX_BYTES,
    FileEntry,
    Metadata,
    Part,
    TensorEntry,
    Tokenizer,
)
from llq_format.metadata.model import Model, tensor_roles
from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.package.record_writer import Rows, TensorPlan, part_data, rows_of
from llq_format.validation.model import module_name, shard_name
from llq_format.validation.package_files import metadata_size
from llq_format.validation.text import check_text
from llq_format.validation.validate import check_index


class PackageWriter:
    """A writer of a package, used as a context manager: `add` all planned tensors in order, then `finish`."""

    def __init__(  # noqa: PLR0913  # one argument for each member of the metadata
        self,
        directory: str | os.PathLike[str],
        tensors: Iterable[TensorPlan],
        *,
        stem: str = "model",
        shard_limit: int = SHARD_LIMIT_DEFAULT,
        model: Model | None = None,
        tokenizer: TokenizerFiles | None = None,
        module: bytes | None = None,
        program: bytes | Callable[[Metadata], bytes] | None = None,
        extras: dict[str, Any] | None = None,
        overwrite: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Plan the package; no file is written yet.

        directory: the package's directory, which must not exist unless `overwrite`.
        tensors: all tensors, in canonical order.
        program: program.json, or what makes it of the metadata as planned: with places, hashes being zeros.
        progress: called with numbers of bytes as they are written.
        overwrite: replace an existing package, which stays until this one is finished, or an empty directory.
        Raises FileExistsError, ShardLimitError, LLQError for a plan that would break a rule, ValueError for
        extras that JSON cannot hold.
        """
        require_posix()
        self.directory = Path(os.path.abspath(directory))  # noqa: PTH100  # keeps symbolic links, drops `..`
        self._overwrite = overwrite
        _check_target(self.directory, overwrite=overwrite)
        self._plans = tuple(tensors)
        self._placement = place(((t.name, t.dtype, t.shape) for t in self._plans), shard_limit)
        files = {
            "tokenizer": tokenizer.tokenizer_json if tokenizer else None,
            "module": module,
            "program": None if callable(program) else program,
        }
        self._files = {
            kind: data for kind, data in files.items() if data is not None
        }  # in Metadata.files' order
        self._tokenizer = tokenizer
        self._progress = progress or (lambda _count: None)
        self._next = 0
        self._failed = False
        self._parts: list[tuple[Part, ...]] = []
        self._shards: list[FileEntry] = []
        extensions = {} if model is None else model.extensions()
        self._metadata = Metadata(
            stem,
            shard_limit,
            (),
            (),
            model=model,
            extras=extras,
            extensions_used=tuple(extensions) or None,
            extensions_required=tuple(extensions) or None,
            extensions=extensions or None,
        )
        if callable(program):
            self._files["program"] = program(self._planned())
        self._check_plan()
        self._work: WorkDirectory | None = None
        self._shard: _ShardWriter | None = None

    @property
    def total_bytes(self) -> int:
        """Bytes of all shards."""
        return sum(self._placement.shard_bytes)

    def __enter__(self) -> Self:
        """Create and lock the work directory. Raises BlockingIOError if another process has locked it."""
        work = WorkDirectory(self.directory)
        work.__enter__()
        self._work = work
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove an unfinished package."""
        try:
            if self._shard is not None:
                self._shard.abandon()
        finally:
            if self._work is not None:
                self._work.close()

    def add(self, name: str, tensor: PackedTensor | NDArray[np.floating] | Rows) -> None:
        """Write the next tensor: a PackedTensor, an array, or a function that gives runs of its rows.

        Arrays become the raw dtype of the plan, any memory order. Raises ValueError if the name or shape is
        not the planned one, TypeError if the kind is not, QuantizeError for a value that the dtype cannot
        hold (LLQ-WRITE-3).
        """
        if self._next == len(self._plans) or self._plans[self._next].name != name:
            expected = self._plans[self._next].name if self._next < len(self._plans) else "no further tensor"
            raise ValueError(f"tensor {name!r} is out of order: the plan has {expected!r} here")
        plan, placed = self._plans[self._next], self._placement.parts[self._next]
        rows = tensor if callable(tensor) else rows_of(plan, tensor)
        self._check_whole()
        self._failed = True  # unless the whole tensor is written
        self._parts.append(tuple(self._write_part(plan, part, rows) for part in placed))
        self._failed = False
        self._next += 1

    def finish(self) -> Metadata:
        """Close the last shard, write the other files and the metadata, and put the package in its place.

        Raises ValueError if a tensor is missing or was not written whole.
        """
        self._check_whole()
        if self._next < len(self._plans):
            raise ValueError(f"tensor {self._plans[self._next].name!r} was planned but not added")
        assert self._work is not None  # noqa: S101  # finish is called within the with block
        self._close_shard()
        new = self._work.new
        metadata = self._with_entries(tuple(self._shards), tuple(self._parts)).sealed()
        for entry, data in zip(metadata.files[len(self._shards) :], self._files.values(), strict=True):
            write_file(new / entry.file, data)
        write_file(new / FILE_NAME, metadata.to_bytes())
        new.chmod(0o755)  # the work directory is private
        sync_directory(new)
        _check_target(self.directory, overwrite=self._overwrite)  # it may have been created in the meantime
        self._work.put_in_place(overwrite=self._overwrite)
        return metadata

    def _check_whole(self) -> None:
        if self._failed:
            raise ValueError("a tensor failed, so its shard is incomplete: create a new PackageWriter")

    def _planned(self) -> Metadata:
        """Return the planned metadata, with zeros for the unknown hashes."""
        zero_hash = "0" * 64
        parts = tuple(
            tuple(Part(p.shard, p.offset, p.byte_length, p.first_row, p.num_rows, zero_hash) for p in placed)
            for placed in self._placement.parts
        )
        count = len(self._placement.shard_bytes)
        stem = self._metadata.stem
        shards = tuple(
            FileEntry(shard_name(stem, i, count), size, zero_hash)
            for i, size in enumerate(self._placement.shard_bytes)
        )
        return self._with_entries(shards, parts)

    def _check_plan(self) -> None:
        """Raise the first error of the planned metadata."""
        data = self._planned().to_bytes()
        if len(data) > MAX_BYTES:
            raise metadata_size(len(data), MAX_BYTES)
        metadata, findings = check_text(data)
        findings = findings if metadata is None else [*findings, *check_index(metadata)]
        if findings:
            raise LLQError(min(findings, key=lambda finding: finding.order))

    def _with_entries(self, shards: tuple[FileEntry, ...], parts: tuple[tuple[Part, ...], ...]) -> Metadata:
        """Return the metadata with these shards and parts and the entries of all other files."""
        tensors = tuple(
            TensorEntry(plan.name, plan.dtype, plan.shape, tensor_parts, extras=plan.extras)
            for plan, tensor_parts in zip(self._plans, parts, strict=True)
        )
        names = {
            "tokenizer": "tokenizer.json",
            "module": module_name(self._metadata.stem),
            "program": "program.json",
        }
        files = {
            kind: FileEntry(names[kind], len(data), hashlib.sha256(data).hexdigest())
            for kind, data in self._files.items()
        }
        tokenizer = None
        if self._tokenizer is not None:
            entry, t = files["tokenizer"], self._tokenizer
            tokenizer = Tokenizer(
                entry.file,
                entry.byte_length,
                entry.sha256,
                t.bos_token_id,
                tuple(t.eos_token_ids),
                t.chat_template,
                None if t.special_tokens is None else dict(t.special_tokens),
            )
        return replace(
            self._metadata,
            shards=shards,
            tensors=tensors,
            tokenizer=tokenizer,
            module=files.get("module"),
            program=files.get("program"),
        )

    def _write_part(self, plan: TensorPlan, placed: Placed, rows: Rows) -> Part:
        if self._shard is None or self._shard.index != placed.shard:
            self._close_shard()
            self._open_shard(placed.shard)
        assert self._shard is not None  # noqa: S101  # just opened
        shard = self._shard
        digest = hashlib.sha256()
        for piece in part_data(plan, placed, rows, of_model=self._metadata.model is not None):
            digest.update(piece)
            shard.write(piece)
            self._progress(memoryview(piece).nbytes)
        return Part(
            placed.shard,
            placed.offset,
            placed.byte_length,
            placed.first_row,
            placed.num_rows,
            digest.hexdigest(),
        )

    def _open_shard(self, index: int) -> None:
        assert self._work is not None  # noqa: S101  # add is called within the with block
        lengths = self._placement.shard_bytes
        name = shard_name(self._metadata.stem, index, len(lengths))
        preamble = {"shard_index": index, "shard_count": len(lengths), "byte_length": lengths[index]}
        self._shard = _ShardWriter(self._work.new / name, index)
        self._shard.write(PREAMBLE.build(preamble))

    def _close_shard(self) -> None:
        if self._shard is not None:
            self._shards.append(self._shard.close())
            self._shard = None


class _ShardWriter:
    """A shard that is being written and hashed."""

    def __init__(self, path: Path, index: int) -> None:
        self.index = index
        self._path = path
        self._file: IO[bytes] = path.open("xb")
        self._digest = hashlib.sha256()

    def write(self, data: Any) -> None:
        self._digest.update(data)
        with naming(self._path):
            self._file.write(data)

    def close(self) -> FileEntry:
        length = self._file.tell()
        with naming(self._path), self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        return FileEntry(self._path.name, length, self._digest.hexdigest())

    def abandon(self) -> None:
        with suppress(OSError):  # a full disk does not take the rest of the buffer either
            self._file.close()


def _check_target(target: Path, *, overwrite: bool) -> None:
    """Raise FileExistsError if the target exists and must not be replaced."""
    if not os.path.lexists(target):
        return
    if not overwrite:
        raise FileExistsError(f"{target} already exists: remove it, or pass overwrite=True")
    if is_empty_directory(target):
        return
    if not (target / FILE_NAME).is_file():
        raise FileExistsError(f"{target} is not a package and will not be replaced: remove it manually")


def is_empty_directory(path: Path) -> bool:
    """Return whether a path is a directory without entries, and not a symbolic link."""
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def save(
    directory: str | os.PathLike[str],
    tensors: Mapping[str, PackedTensor | NDArray[np.floating]],
    **options: Any,
) -> Metadata:
    """Write a package of tensors in memory.

    tensors: PackedTensor for INT4, float16 or float32 arrays for raw tensors, which keep their dtype. With
    a `model` among the options they are put into the model's order, otherwise in order of name.
    options: as for PackageWriter.
    Raises TypeError for an array of another dtype: convert it explicitly, with astype.
    """
    plans = {
        name: TensorPlan(name, _dtype_of(name, tensor), tuple(tensor.shape))
        for name, tensor in tensors.items()
    }
    model = options.get("model")
    order = (
        sorted(plans) if model is None else [role.name for role in tensor_roles(model) if role.name in plans]
    )
    order += [
        name for name in plans if name not in set(order)
    ]  # tensors that are not in the model are refused
    with PackageWriter(directory, [plans[name] for name in order], **options) as writer:
        for name in order:
            writer.add(name, tensors[name])
        return writer.finish()


def _dtype_of(name: str, tensor: PackedTensor | NDArray[np.floating]) -> Dtype:
    if isinstance(tensor, PackedTensor):
        return tensor.dtype
    kinds: dict[tuple[str, int], Dtype] = {("f", 2): "f16", ("f", 4): "f32"}
    key = (tensor.dtype.kind, tensor.dtype.itemsize)
    if key not in kinds:
        raise TypeError(f"tensor {name!r} is {tensor.dtype}: pass float16, float32 or a PackedTensor")
    return kinds[key]
