"""The packages that the figures show: golden vectors."""

import json
from dataclasses import dataclass
from typing import Any

from website.places import ROOT


@dataclass(frozen=True)
class Example:
    """The files of a package."""

    metadata: dict[str, Any]
    files: dict[str, bytes]

    @property
    def shard(self) -> bytes:
        """The first shard."""
        return self.files[self.metadata["shards"][0]["file"]]


def example(vector: str) -> Example:
    """Return the package of a valid vector."""
    folder = ROOT / "vectors" / "data" / "valid" / vector / "package"
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return Example(json.loads(files["metadata.json"]), files)
