"""Checkpoints by address, as paths of this machine."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from llq_format.exporting.checkpoint.split_names import name_without_part, part_names
from llq_format.remote import files, hub
from llq_format.remote.addresses import RemoteError, hub_address


def download(address: str, progress: Callable[[int], None] | None = None) -> tuple[Path, str]:
    """Return the path of a checkpoint, and its name, from which the stem of a package is made.

    progress: called with numbers of bytes of files that are not on the hub. Raises RemoteError.
    """
    scheme = urlsplit(address).scheme.lower()
    if scheme == "hf":
        parts = hub_address(address)
        return hub.download(parts), name_without_part(PurePosixPath(parts.file or parts.name).name)
    name = PurePosixPath(urlsplit(address).path).name
    if not name.lower().endswith(".gguf"):
        raise RemoteError(f"{address}: expected the address of a .gguf file, or hf://ORG/NAME")
    base, _, query = address.partition(name)
    paths = files.download([f"{base}{part}{query}" for part in part_names(name)], progress)
    return paths[0], name_without_part(name)
