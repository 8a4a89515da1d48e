"""Mutants that write correct weights but misbehave: traces, existing directories, failures."""

import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..recipe import Recipe
from .mutant import Export, mutant

BYTES, UNFINISHED, IN_THE_WAY, REMOVE = "WRITE-1", "WRITE-2", "WRITE-5", "WRITE-7"


def saying(make: Callable[[Path, Path], Any]) -> Recipe:
    """Return an exporter that writes a note into extras."""
    return Recipe(extras=lambda checkpoint, package: {"note": make(checkpoint, package)})


mutant("dated", "the date and time of the export", BYTES, "repeat", "traceless")(
    saying(lambda _c, _p: datetime.now(UTC).isoformat())
)
mutant("day-of-export", "the date of the export alone", BYTES, "traceless")(
    saying(lambda _c, _p: f"made on {datetime.now(UTC):%Y-%m-%d}")
)
mutant("seconds-since-1970", "the time of the export as a number", BYTES, "repeat", "traceless")(
    saying(lambda _c, _p: int(time.time()))
)
mutant("path-of-checkpoint", "the checkpoint's path", BYTES, "repeat", "traceless")(
    saying(lambda checkpoint, _p: str(checkpoint))
)
mutant("path-of-package", "the package's path", BYTES, "repeat", "traceless")(
    saying(lambda _c, package: str(package))
)
mutant("home-of-user", "the home of the user", BYTES, "traceless")(
    saying(lambda _c, _p: str(Path.home() / "models"))
)
mutant("random", "a random number", BYTES, "repeat")(saying(lambda _c, _p: random.SystemRandom().random()))


def conduct(title: str, rule: str, *checks: str) -> Callable[[Export], Export]:
    """Register an export as a mutant, named as the function is, in kebab-case."""

    def register(export: Export) -> Export:
        return mutant(export.__name__.replace("_", "-"), title, rule, *checks)(export)

    return register


@conduct("a byte of a shard changed after its hash was taken", "HASH-1", "export")
def damaged(checkpoint: Path, package: Path) -> None:
    Recipe()(checkpoint, package)
    shard = next(package.glob("*.llq"))
    data = bytearray(shard.read_bytes())
    data[-1000] ^= 1
    shard.write_bytes(data)


@conduct("metadata.json indented for people", "CANON-1", "export")
def spaced(checkpoint: Path, package: Path) -> None:
    Recipe()(checkpoint, package)
    index = package / "metadata.json"
    index.write_text(index.read_text(encoding="utf-8").replace(",", ", "), encoding="utf-8")


@conduct("success without a package", REMOVE, "export")
def nothing_written(_checkpoint: Path, _package: Path) -> None:
    pass


@conduct("every checkpoint refused", "WRITE-6", "export")
def always_refusing(checkpoint: Path, _package: Path) -> None:
    raise ValueError(f"{checkpoint} is of no known architecture")


@conduct("success though the checkpoint was refused", "WRITE-4", "decline")
def failures_hidden(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        return


@conduct("success though a shard could not be written", REMOVE, "abort")
def full_disk_hidden(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise


@conduct("shards without an index left after a failure", REMOVE, "decline")
def partial_left(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        package.mkdir()
        (package / "exported-00001-of-00001.llq").write_bytes(bytes(256))
        raise


@conduct("a temporary directory next to the package left after a failure", REMOVE, "decline")
def temporary_left(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        (package.parent / f"{package.name}.tmp").mkdir()
        raise


@conduct("an index of files that were not written left after a failure", UNFINISHED, "decline")
def index_left(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        package.mkdir()
        (package / "metadata.json").write_text("{}", encoding="utf-8")
        raise


@conduct("the index written before the shards", UNFINISHED, "abort")
def index_first(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            package.mkdir()
            (package / "metadata.json").write_text("{}", encoding="utf-8")
        raise


@conduct("an existing directory replaced without permission", IN_THE_WAY, "spare")
def overwriting(checkpoint: Path, package: Path) -> None:
    Recipe()(checkpoint, package, overwrite=True)


@conduct("files written into an existing directory", IN_THE_WAY, "spare")
def merging(checkpoint: Path, package: Path) -> None:
    if not package.exists():
        Recipe()(checkpoint, package)
        return
    temporary = package.parent / "beside"
    Recipe()(checkpoint, temporary)
    for file in temporary.iterdir():
        shutil.move(file, package / file.name)
    temporary.rmdir()


@conduct("success reported although the directory exists", REMOVE, "spare")
def in_the_way_hidden(checkpoint: Path, package: Path) -> None:
    if not package.exists():
        Recipe()(checkpoint, package)
