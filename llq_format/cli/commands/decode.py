"""`llq decode`: one tensor as an .npy file."""

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
from llq_format.package.atomic_replacement import replace_file
from llq_format.package.reader import Package


def decode(
    path: PackagePath,
    tensor: Annotated[str, typer.Argument(metavar="TENSOR", help="Name of a tensor.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.npy",
            help="Where to write; - is standard output.",
            show_default=False,
        ),
    ],
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
) -> None:
    """Decode a tensor exactly, to a NumPy file of binary32 values.

    Every byte of the tensor is checked first. The file appears whole or not at all.

    Example: llq decode smollm2 layers.0.attention.qkv -o qkv.npy
    """
    to_stdout = str(output) == "-"
    if to_stdout and sys.stdout.isatty():
        raise typer.BadParameter("this is a terminal; give a file or a pipe.", param_hint="-o")
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
    """Return a tensor. Raises ValueError with the names nearest to an unknown one."""
    check_name(name, package.keys())
    return package.get_tensor(name)


def check_name(name: str, names: list[str]) -> None:
    """Raise ValueError with the nearest names if `name` is none of `names`."""
    if name not in names:
        near = get_close_matches(name, names, n=5, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"llq inspect --all lists all {len(names)}"
        raise ValueError(f"no tensor named {printable(name)}; {hint}")


def _check_target(path: Path, *, force: bool) -> None:
    """Raise FileExistsError for a file that must not be replaced; devices and directories never are."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"there is no directory {path.parent}") from None
        return
    if not stat.S_ISREG(mode):
        raise FileExistsError(f"{path} is no regular file and will not be replaced")
    if not force:
        raise FileExistsError(f"{path} exists; --force replaces it")


def _write_npy(file: IO[bytes], array: NDArray[np.float32]) -> None:
    """Write header and data; `numpy.save` itself cannot write to a pipe."""
    npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
    file.write(np.ascontiguousarray(array, "<f4").data.cast("B"))
