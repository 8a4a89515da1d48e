"""Checkpoints by address, as paths of this machine."""

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from llq_format.exporting.checkpoint.split_names import name_without_part, part_names
from llq_format.remote import files, hub
from llq_format.remote.addresses import RemoteError, hub_address


def download(
    address: str,
    on_total: Callable[[int, str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[Path, str]:
    """Return the path of a checkpoint, and its name, from which the stem of a package is made.

    For files that are not on the hub, on_total is called with the number of their bytes and a name, and
    progress with numbers of bytes. Raises RemoteError.
    """
    scheme = urlsplit(address).scheme.lower()
    if scheme == "hf":
        parts = hub_address(address)
        return hub.download(parts), name_without_part(PurePosixPath(parts.file or parts.name).name)
    name = PurePosixPath(urlsplit(address).path).name
    if not name.lower().endswith(".gguf"):
        raise RemoteError(f"{address}: expected the address of a .gguf file, or hf://ORG/NAME")
    split = urlsplit(address)
    addresses = [
        split._replace(path=str(PurePosixPath(split.path).with_name(part))).geturl()
        for part in part_names(name)
    ]
    paths = files.download(addresses, on_total, progress)
    return paths[0], name_without_part(name)
