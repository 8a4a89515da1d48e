"""`llq decode`: a tensor as an .npy file."""

import stat
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import IO, Annotated

import numpy as np
import typer
from numpy.lib import format as npy
from numpy.typing import NDArray

import llq_format
from llq_format.cli.failures import about
from llq_format.cli.options import PackagePath
from llq_format.cli.terminal import print_line, printable, stderr
from llq_format.files.file_replacement import replace_file
from llq_format.package.reader import Package


def decode(
    path: PackagePath,
    tensor: Annotated[str, typer.Argument(metavar="TENSOR", help="Name of the tensor.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.npy",
            help="File to write; - writes to standard output.",
            show_default=False,
        ),
    ],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Decode a tensor and write its weights to a NumPy file.

    The weights are exact binary32 values. The command checks every byte of the tensor first. If it fails,
    it writes no file.

    Example: llq decode smollm2 layers.0.attention.qkv -o qkv.npy
    """
    to_stdout = str(output) == "-"
    if to_stdout and sys.stdout.isatty():
        raise typer.BadParameter(
            "standard output is a terminal: name a file, or redirect the output", param_hint="-o"
        )
    if not to_stdout:
        _check_target(output, force=force)
    with about(path), llq_format.open(path) as package:
        weights = tensor_of(package, tensor)
    if to_stdout:
        _write_npy(sys.stdout.buffer, weights)
        return
    with replace_file(output) as file:
        _write_npy(file, weights)
    print_line(stderr(), f"wrote {output}: float32 {list(weights.shape)}")


def tensor_of(package: Package, name: str) -> NDArray[np.float32]:
    """Return a tensor. Raises ValueError with similar names if the name is unknown."""
    check_name(name, package.keys())
    return package.get_tensor(name)


def check_name(name: str, names: list[str]) -> None:
    """Raise ValueError with similar names if `name` is not in `names`."""
    if name not in names:
        near = get_close_matches(name, names, n=5, cutoff=0.5)
        hint = (
            f"did you mean {' or '.join(near)}?"
            if near
            else f"`llq inspect --all` lists all {len(names)} names"
        )
        raise ValueError(f"tensor {printable(name)} not found: {hint}")


def _check_target(path: Path, *, force: bool) -> None:
    """Raise FileExistsError for a path that must not be replaced. Devices and directories never are."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"directory {path.parent} not found") from None
        return
    if not stat.S_ISREG(mode):
        raise FileExistsError(f"{path} is not a regular file and will not be replaced")
    if not force:
        raise FileExistsError(f"{path} already exists: use --force to replace it")


def _write_npy(file: IO[bytes], array: NDArray[np.float32]) -> None:
    """Write header and data; `numpy.save` itself cannot write to a pipe."""
    npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
    file.write(np.ascontiguousarray(array, "<f4").data.cast("B"))
