"""What the commands that make a package share: what they may replace, and what they say at their end."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llq_format.cli.sizes import sizes_by_kind, total_size
from llq_format.cli.terminal import print_fields, print_json, stdout
from llq_format.metadata.metadata import FILE_NAME, Metadata
from llq_format.webgpu.planning.planner import UnplannableError


def check_replaceable(directory: Path, *, force: bool) -> None:
    """Raise FileExistsError if a directory exists, unless it is a package and may be replaced.

    A package is a directory of files alone, metadata.json among them, so no mistyped path is emptied.
    """
    if not os.path.lexists(directory):
        return
    if not force:
        raise FileExistsError(f"{directory} exists; --force replaces it")
    if directory.is_symlink() or not directory.is_dir():
        raise FileExistsError(f"{directory} is no directory and will not be replaced")
    entries = list(directory.iterdir())
    if directory / FILE_NAME not in entries or any(entry.is_dir() for entry in entries):
        raise FileExistsError(
            f"{directory} is not just a package and will not be replaced; remove it yourself"
        )


@contextmanager
def hint_at_no_program() -> Iterator[None]:
    """Tell of --no-program where a block raises UnplannableError."""
    try:
        yield
    except UnplannableError as error:
        raise UnplannableError(f"{error}; --no-program writes the weights alone") from None


def print_summary(directory: Path, metadata: Metadata, *, json: bool) -> None:
    """Print where the package is, its digest and its sizes."""
    total = total_size(metadata)
    if json:
        print_json(
            {
                "path": str(directory),
                "digest": metadata.digest,
                "shards": len(metadata.shards),
                "sizes": [size.to_json() for size in sizes_by_kind(metadata)],
                "total": total.to_json(),
            }
        )
        return
    kinds = ", ".join(f"{size.weights:,} {size.kind}" for size in sizes_by_kind(metadata))
    shards = f"{len(metadata.shards)} shard{'' if len(metadata.shards) == 1 else 's'}"
    fields = [
        ("package", str(directory)),
        ("digest", metadata.digest),
        ("weights", f"{total.weights:,}: {kinds}"),
        ("size", f"{total.byte_length:,} bytes in {shards}, {total.bits_per_weight:.3f} bits a weight"),
    ]
    print_fields(stdout(), fields, indent=0)
