"""Addresses of checkpoints and packages."""

import re
from dataclasses import dataclass

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://.+")
_HUB = re.compile(
    r"hf://(?P<repository>[^/@\s]+/[^/@\s]+)(@(?P<revision>[^/\s]+))?(/(?P<file>[^\s]+))?/?", re.IGNORECASE
)


class RemoteError(ValueError):
    """An address that cannot be read; the message names the address, the cause and the fix."""


@dataclass(frozen=True)
class HubAddress:
    """A repository of the Hugging Face hub, and a file in it."""

    repository: str
    revision: str | None
    file: str | None

    @property
    def name(self) -> str:
        """The name of the repository without its owner."""
        return self.repository.split("/")[1]


def is_address(text: str) -> bool:
    """Return whether a text is an address, and not a path of this machine."""
    return _ADDRESS.fullmatch(text) is not None


def hub_address(text: str) -> HubAddress:
    """Return the parts of `hf://org/name[@revision][/file]`; raises RemoteError."""
    match = _HUB.fullmatch(text)
    if match is None:
        raise RemoteError(
            f"{text}: expected hf://ORG/NAME, hf://ORG/NAME@REVISION or hf://ORG/NAME/FILE.gguf"
        )
    return HubAddress(match["repository"], match["revision"], match["file"])
