"""Shared steps of the commands that create a package: the check for replacement and the summary."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llq_format.cli.sizes import sizes_by_kind, total_size
from llq_format.cli.terminal import print_fields, print_json, stdout
from llq_format.metadata.metadata import FILE_NAME, Metadata
from llq_format.webgpu.planning.planner import UnplannableError


def check_replaceable(directory: Path, *, force: bool) -> None:
    """Raise FileExistsError if a directory exists, unless it is a package and may be replaced.

    A package is a directory that contains metadata.json and no directories. The check protects a directory
    whose path was mistyped. An empty directory may be replaced, too.
    """
    if not os.path.lexists(directory):
        return
    if not force:
        raise FileExistsError(f"{directory} already exists: use --force to replace it")
    if directory.is_symlink() or not directory.is_dir():
        raise FileExistsError(f"{directory} is not a directory and will not be replaced")
    entries = list(directory.iterdir())
    if not entries:
        return
    if directory / FILE_NAME not in entries or any(entry.is_dir() for entry in entries):
        raise FileExistsError(
            f"{directory} is not a package, or contains directories, and will not be replaced: remove "
            "it manually"
        )


@contextmanager
def hint_at_no_program() -> Iterator[None]:
    """Mention --no-program in an UnplannableError that the block raises."""
    try:
        yield
    except UnplannableError as error:
        raise UnplannableError(f"{error}; use --no-program to write the weights only") from None


def summary(directory: Path, metadata: Metadata) -> dict[str, Any]:
    """Return the path, the digest and the sizes of a package as a JSON value."""
    return {
        "path": str(directory),
        "digest": metadata.digest,
        "shards": len(metadata.shards),
        "sizes": [size.to_json() for size in sizes_by_kind(metadata)],
        "total": total_size(metadata).to_json(),
    }


def print_summary(directory: Path, metadata: Metadata, *, json: bool = False) -> None:
    """Print the path, the digest and the sizes of a package."""
    if json:
        print_json(summary(directory, metadata))
        return
    total = total_size(metadata)
    kinds = ", ".join(f"{size.weights:,} {size.kind}" for size in sizes_by_kind(metadata))
    shards = f"{len(metadata.shards)} shard{'' if len(metadata.shards) == 1 else 's'}"
    fields = [
        ("package", str(directory)),
        ("digest", metadata.digest),
        ("weights", f"{total.weights:,}: {kinds}"),
        ("size", f"{total.byte_length:,} bytes in {shards}, {total.bits_per_weight:.3f} bits per weight"),
    ]
    print_fields(stdout(), fields, indent=0)
