"""`llq diff`: the differences between two packages."""

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

import llq_format
from llq_format.cli.comparison import (
    ABSENT,
    FileDifference,
    Member,
    TensorDifference,
    file_differences,
    metadata_differences,
    tensor_differences,
)
from llq_format.cli.failures import MISUSE, about, reported
from llq_format.cli.layers import spans
from llq_format.cli.options import All, Json
from llq_format.cli.sizes import tensor_bytes
from llq_format.cli.terminal import ProgressBar, print_fields, print_heading, print_json, print_line, stdout
from llq_format.package.reader import Package

DIFFERENT = 1
_MOST_TENSORS, _MOST_BLOCKS, _MOST_CHARACTERS = 20, 8, 60  # limits where lists and values are shortened


def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="First package.", show_default=False)],
    b: Annotated[Path, typer.Argument(metavar="B", help="Second package.", show_default=False)],
    *,
    index_only: Annotated[
        bool,
        typer.Option("--index-only", help="Compare metadata.json only, and read no other file."),
    ] = False,
    json: Json = False,
    show_all: All = False,
) -> None:
    """Compare two packages: metadata, tensors, weights and blocks.

    The command reads all files of both packages. With --index-only it reads metadata.json alone, and
    reports that it did.

    Example: llq diff smollm2 smollm2-symmetric

    Example: llq diff smollm2 smollm2-symmetric --index-only

    Exit status: 0 identical, 1 different, 2 error.
    """
    with reported(MISUSE):
        with about(a):
            package_a = llq_format.open(a)
        with about(b):
            package_b = llq_format.open(b)
        with package_a, package_b:
            differences = _compare(package_a, package_b, index_only=index_only)
        if json:
            print_json(differences.to_json())
        else:
            differences.print(stdout(), show_all=show_all)
    if differences.different:
        raise typer.Exit(DIFFERENT)


class _Differences:
    """The differences between packages `a` and `b`."""

    def __init__(self, a: Package, b: Package, *, index_only: bool) -> None:
        self.a, self.b = a, b
        self.index_only = index_only
        self.files: list[FileDifference] = []
        self.same_digest = a.metadata.digest == b.metadata.digest
        self.members: list[Member] = []
        self.only_a = [name for name in a if name not in b]
        self.only_b = [name for name in b if name not in a]
        self.tensors: list[TensorDifference] = []
        self.shared = len(a) - len(self.only_a)

    @property
    def different(self) -> bool:
        """Whether anything differs."""
        return not self.same_digest or bool(self.files)

    def to_json(self) -> dict[str, Any]:
        """Return all differences, with every block number."""
        return {
            "same": not self.different,
            "a": {"path": str(self.a.directory), "digest": self.a.metadata.digest},
            "b": {"path": str(self.b.directory), "digest": self.b.metadata.digest},
            "metadata": [asdict(member) for member in self.members],
            "only_in_a": self.only_a,
            "only_in_b": self.only_b,
            "tensors": [asdict(tensor) for tensor in self.tensors],
            "tensors_in_both": self.shared,
            "index_only": self.index_only,
            "files": [asdict(file) for file in self.files],
        }

    def print(self, console: Console, *, show_all: bool) -> None:
        """Print the differences; long lists are shortened unless `show_all` is true."""
        fields = [("a", f"{self.a.directory}  {self.a.metadata.digest[:16]}…")]
        fields.append(("b", f"{self.b.directory}  {self.b.metadata.digest[:16]}…"))
        print_fields(console, fields, indent=0)
        if not self.different:
            print_line(console, f"identical: equal digests, {self.shared} tensors, {self._bytes_compared()}")
            return
        if self.files:
            self._print_files(console, show_all=show_all)
            return
        if self.members:
            print_heading(console, "metadata")
            for member in self.members:
                print_line(console, _member_text(member, show_all=show_all), lead="  ")
        for where, package, names in (("a", self.a, self.only_a), ("b", self.b, self.only_b)):
            if names:
                print_heading(console, f"only in {where}")
                most = len(names) if show_all else _MOST_TENSORS
                for name in names[:most]:
                    entry = package.entry(name)
                    print_line(console, f"{name}: {entry.dtype} {list(entry.shape)}", lead="  ")
                _print_omitted(console, len(names) - most)
        if self.tensors:
            print_heading(console, "different tensors")
            most = len(self.tensors) if show_all else _MOST_TENSORS
            for tensor in self.tensors[:most]:
                _print_tensor(console, tensor, show_all=show_all, index_only=self.index_only)
            _print_omitted(console, len(self.tensors) - most)
        console.print()
        unshared = "".join(
            f", {len(n)} only in {w}" for w, n in (("a", self.only_a), ("b", self.only_b)) if n
        )
        unread = "; only metadata.json was read (--index-only)" if self.index_only else ""
        print_line(
            console,
            f"different: {len(self.tensors)} of {self.shared} common tensors differ{unshared}{unread}",
        )

    def _bytes_compared(self) -> str:
        if self.index_only:
            return "only metadata.json was read (--index-only)"
        size = sum(entry.byte_length for entry in self.a.metadata.files)
        return f"{size:,} bytes compared in {len(self.a.metadata.files)} files"

    def _print_files(self, console: Console, *, show_all: bool) -> None:
        """Print the files of packages with equal digests: at least one of the packages is damaged."""
        print_heading(console, "different files")
        most = len(self.files) if show_all else _MOST_TENSORS
        for file in self.files[:most]:
            count = f"{file.differing:,} byte{' differs' if file.differing == 1 else 's differ'}"
            print_line(console, f"{file.file}: {count}, the first at offset {file.offset:,}", lead="  ")
        _print_omitted(console, len(self.files) - most)
        console.print()
        print_line(
            console,
            f"different: equal digests, but different bytes in {len(self.files)} of "
            f"{len(self.a.metadata.files)} files; `llq validate` reports which package is damaged",
        )


def _compare(a: Package, b: Package, *, index_only: bool) -> _Differences:
    differences = _Differences(a, b, index_only=index_only)
    if differences.same_digest:
        if not index_only:
            with ProgressBar() as bar:
                bar.start(sum(entry.byte_length for entry in a.metadata.files), "comparing")
                differences.files = list(file_differences(a, b, bar.advance))
        return differences
    differences.members = metadata_differences(a.metadata, b.metadata)
    with ProgressBar() as bar:
        bar.start(sum(tensor_bytes(a.entry(name)) for name in a if name in b), "comparing")
        found = tensor_differences(a, b, bar.advance, index_only=index_only)
        differences.tensors = [tensor for tensor in found if tensor is not None]
    return differences


def _member_text(member: Member, *, show_all: bool) -> str:
    values = []
    for value in (member.a, member.b):
        text = ABSENT if value == ABSENT else json_module.dumps(value)
        folded = len(text) > _MOST_CHARACTERS and not show_all
        values.append(f"{text[:_MOST_CHARACTERS]}… ({len(text):,} characters)" if folded else text)
    return f"{member.pointer}: {values[0]} | {values[1]}"


def _print_tensor(console: Console, tensor: TensorDifference, *, show_all: bool, index_only: bool) -> None:
    print_line(console, tensor.name, lead="  ")
    fields = [
        (m.pointer.lstrip("/"), _member_text(m, show_all=show_all).split(": ", 1)[1]) for m in tensor.members
    ]
    w = tensor.weights
    if w is None:
        reason = "--index-only" if index_only else "different shapes"
        fields.append(("weights", f"not compared: {reason}"))
    elif w.differing:
        share = f"{w.differing:,} of {w.total:,} differ ({w.differing / w.total:.2%})"
        fields.append(("weights", f"{share}, by at most {w.largest:.6g}, at row {w.row}, column {w.col}"))
    else:
        fields.append(("weights", "identical"))
    for kind, numbers in tensor.blocks.items():
        runs = spans(numbers).split(", ")
        most = len(runs) if show_all else _MOST_BLOCKS
        listed = ", ".join(runs[:most]) + (", …" if len(runs) > most else "")
        count = f"{len(numbers):,} block{'' if len(numbers) == 1 else 's'}"
        fields.append((kind, f"differ{'s' if kind != 'codes' else ''} in {count}: {listed}"))
    print_fields(console, fields, indent=4)


def _print_omitted(console: Console, count: int) -> None:
    if count > 0:
        print_line(console, f"… {count:,} more (--all)", lead="  ")
