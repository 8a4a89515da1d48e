"""Checkpoints that a command names by a path or by an address."""

from pathlib import Path

from llq_format.cli.terminal import print_line, stderr
from llq_format.remote.addresses import is_address


def local_checkpoint(checkpoint: str) -> tuple[Path, str | None]:
    """Return the path of a checkpoint, which is downloaded first if it is an address, and then its name."""
    if not is_address(checkpoint):
        return Path(checkpoint), None
    from llq_format.remote.checkpoints import download  # noqa: PLC0415  # needs an extra

    print_line(stderr(), f"reading {checkpoint}", lead="llq: ")
    return download(checkpoint)
