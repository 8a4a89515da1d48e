"""A package in memory: its directory as a mapping from names to contents."""

import hashlib
import os
from enum import Enum
from pathlib import Path

METADATA, PROGRAM = "metadata.json", "program.json"
ZEROS = b"0" * 64


class Kind(Enum):
    """What an entry of a directory is, if it is not a regular file."""

    DIRECTORY = "directory"
    LINK = "symbolic link"
    FIFO = "FIFO"


Entry = bytes | Kind
Package = dict[str, Entry]


def sha256(data: bytes) -> str:
    """Return a SHA-256 as metadata writes it."""
    return hashlib.sha256(data).hexdigest()


def load(directory: Path) -> Package:
    """Return the package in a directory."""
    package: Package = {}
    for path in sorted(directory.iterdir()):
        if path.is_symlink():
            package[path.name] = Kind.LINK
        elif path.is_dir():
            package[path.name] = Kind.DIRECTORY
        elif path.is_fifo():
            package[path.name] = Kind.FIFO
        else:
            package[path.name] = path.read_bytes()
    return package


def write_entry(path: Path, entry: Entry) -> None:
    """Create an entry of a directory."""
    if entry is Kind.DIRECTORY:
        path.mkdir()
    elif entry is Kind.LINK:
        path.symlink_to("target-of-the-link")
    elif entry is Kind.FIFO:
        os.mkfifo(path)
    else:
        path.write_bytes(entry)


def remove_entry(path: Path) -> None:
    """Remove an entry of a directory."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


def write(package: Package, directory: Path) -> None:
    """Write a package into a new directory."""
    directory.mkdir(parents=True)
    for name, entry in package.items():
        write_entry(directory / name, entry)


def size(package: Package) -> int:
    """Return the length of all files, in bytes."""
    return sum(len(entry) for entry in package.values() if isinstance(entry, bytes))
