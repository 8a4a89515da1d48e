"""Mutants that write the right weights and behave wrongly: traces, what lies in the way, failures."""

import random
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..recipe import Recipe
from .mutant import mutant

BYTES, UNFINISHED, IN_THE_WAY, REMOVE = "WRITE-1", "WRITE-2", "WRITE-5", "WRITE-7"


def saying(make: Callable[[Path, Path], Any]) -> Recipe:
    """Return an exporter that notes something in extras."""
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


def conduct(name: str, title: str, rule: str, *checks: str) -> Callable[[Callable[[Path, Path], None]], None]:
    """Add a mutant made of a function."""

    def add(function: Callable[[Path, Path], None]) -> None:
        mutant(name, title, rule, *checks)(function)

    return add


@conduct("damaged", "a byte of a shard changed after its hash was taken", "HASH-1", "export")
def _damaged(checkpoint: Path, package: Path) -> None:
    Recipe()(checkpoint, package)
    shard = next(package.glob("*.llq"))
    data = bytearray(shard.read_bytes())
    data[-1000] ^= 1
    shard.write_bytes(data)


@conduct("spaced", "metadata.json indented for people", "CANON-1", "export")
def _spaced(checkpoint: Path, package: Path) -> None:
    Recipe()(checkpoint, package)
    index = package / "metadata.json"
    index.write_text(index.read_text(encoding="utf-8").replace(",", ", "), encoding="utf-8")


@conduct("nothing-written", "success without a package", REMOVE, "export")
def _nothing(_checkpoint: Path, _package: Path) -> None:
    pass


@conduct("always-refusing", "every checkpoint refused", "WRITE-6", "export")
def _refusing(checkpoint: Path, _package: Path) -> None:
    raise ValueError(f"{checkpoint} is of no known architecture")


@conduct("failures-hidden", "success though the checkpoint was refused", "WRITE-4", "decline")
def _hidden(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        return


@conduct("full-disk-hidden", "success though a shard could not be written", REMOVE, "abort")
def _full(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise


@conduct("partial-left", "shards without an index left behind by a failure", REMOVE, "decline")
def _partial(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        package.mkdir()
        (package / "exported-00001-of-00001.llq").write_bytes(bytes(256))
        raise


@conduct(
    "temporary-left", "a temporary directory beside the package left behind by a failure", REMOVE, "decline"
)
def _temporary(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        (package.parent / f"{package.name}.tmp").mkdir()
        raise


@conduct("index-left", "an index of what was not written left behind by a failure", UNFINISHED, "decline")
def _index(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except ValueError:
        package.mkdir()
        (package / "metadata.json").write_text("{}", encoding="utf-8")
        raise


@conduct("index-first", "the index written before the shards", UNFINISHED, "abort")
def _first(checkpoint: Path, package: Path) -> None:
    try:
        Recipe()(checkpoint, package)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            package.mkdir()
            (package / "metadata.json").write_text("{}", encoding="utf-8")
        raise


@conduct("overwriting", "a directory in the way replaced without being told", IN_THE_WAY, "spare")
def _overwriting(checkpoint: Path, package: Path) -> None:
    Recipe()(checkpoint, package, overwrite=True)


@conduct("merging", "files written into a directory in the way", IN_THE_WAY, "spare")
def _merging(checkpoint: Path, package: Path) -> None:
    if not package.exists():
        Recipe()(checkpoint, package)
        return
    beside = package.parent / "beside"
    Recipe()(checkpoint, beside)
    for file in beside.iterdir():
        shutil.move(file, package / file.name)
    beside.rmdir()


@conduct("in-the-way-hidden", "success though a directory is in the way", REMOVE, "spare")
def _in_the_way(checkpoint: Path, package: Path) -> None:
    if not package.exists():
        Recipe()(checkpoint, package)
