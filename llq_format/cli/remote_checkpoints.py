"""Checkpoints that a command names by a path or by an address."""

from pathlib import Path

import typer

from llq_format.cli.failures import INTERRUPTED
from llq_format.cli.terminal import ProgressBar, print_line, stderr
from llq_format.remote.addresses import is_address


def local_checkpoint(checkpoint: str) -> tuple[Path, str | None]:
    """Return the path of a checkpoint, which is downloaded first if it is an address, and then its name."""
    if not is_address(checkpoint):
        return Path(checkpoint), None
    from llq_format.remote.checkpoints import download  # noqa: PLC0415  # needs an extra

    print_line(stderr(), f"reading {checkpoint}", lead="llq: ")
    try:
        with ProgressBar() as bar:
            return download(checkpoint, bar.start, bar.advance)
    except KeyboardInterrupt:
        print_line(stderr(), "interrupted: the same command continues the download", lead="llq: ")
        raise typer.Exit(INTERRUPTED) from None
