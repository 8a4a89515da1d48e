"""Checks that the bytes of a package depend on its inputs only."""

import getpass
import json
import platform
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...core.check import Failure
from ...core.runtime import Errored
from ...core.vectors import Vector
from ..session import Session
from .failure_text import failure, message_line

SAME_BYTES = "LLQ-WRITE-1"
TEXTS = (".json", ".wgsl")
LEAST_NAME = 4
"""Minimum length of the name of a machine or a user that is searched for, in characters."""

DAY = 86400


def repeat(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect the same bytes from a copy of the checkpoint at another path, at another time."""
    session.valid(vector)
    first_attempt = session.first_attempt(vector)
    second = int(time.time())
    while int(time.time()) == second:  # a time stamp may have no parts of seconds
        time.sleep(0.01)
    second_attempt = session.attempt(vector)
    if not second_attempt.export.succeeded:
        raise Errored(
            "the first export of the checkpoint succeeded, the second failed", second_attempt.export.message
        )
    first_files, second_files = first_attempt.files, second_attempt.files
    differing = sorted(
        name
        for name in first_files.keys() | second_files.keys()
        if first_files.get(name) != second_files.get(name)
    )
    if not differing:
        return None
    lines = [
        f"differing  {name}{_first_difference(first_files.get(name), second_files.get(name))}"
        for name in differing
    ]
    headline = "a second export of the same checkpoint has different bytes"
    return failure("repeat", vector, SAME_BYTES, headline, lines)


def _first_difference(first_bytes: bytes | None, second_bytes: bytes | None) -> str:
    """Return the position of the first difference of two files, and the bytes there."""
    if first_bytes is None or second_bytes is None:
        return ", which only one of the two packages holds"
    pairs = zip(first_bytes, second_bytes, strict=False)
    end = min(len(first_bytes), len(second_bytes))
    index = next((number for number, (a, b) in enumerate(pairs) if a != b), end)
    window = slice(max(index - 20, 0), index + 20)
    return f" at byte {index}: {first_bytes[window]!r} and {second_bytes[window]!r}"


def traceless(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect no path, no time, and no name of the machine or its user in the texts of a package."""
    session.valid(vector)
    attempt = session.first_attempt(vector)
    paths = {
        "the checkpoint's path": str(attempt.checkpoint.parent),
        "the package's path": str(attempt.package.parent),
    }
    for name, data in attempt.files.items():
        if Path(name).suffix in TEXTS:
            for kind, trace in _traces(data.decode(errors="replace"), paths):
                headline = f"{name} contains {kind}"
                lines = [f"found      {trace}", message_line(attempt.export.message)]
                return failure("traceless", vector, SAME_BYTES, headline, lines)
    return None


def _traces(text: str, paths: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the traces of the machine in a text: kind and words."""
    plain = text.replace("\\/", "/").replace("\\\\", "\\")
    for kind, path in {**paths, "the home of its user": str(Path.home())}.items():
        if path in plain and len(path) > LEAST_NAME:
            yield kind, path
    for kind, name in {"the name of the machine": platform.node(), "the name of its user": _user()}.items():
        if len(name) > LEAST_NAME and name != "localhost" and re.search(rf"\b{re.escape(name)}\b", plain):
            yield kind, name
    now = datetime.now(UTC)
    for day in (now - timedelta(days=1), now, now + timedelta(days=1)):  # of any time zone
        for form in ("%Y-%m-%d", "%Y%m%dT", "%a %b %e", "%d/%m/%Y", "%m/%d/%Y"):
            if day.strftime(form) in plain:
                yield "the date of the export", day.strftime(form)
    for number in re.findall(r"(?<![\w.])\d{10}(?:\d{3}|\d{6}|\d{9})?(?![\w])", _unhashed(plain)):
        if abs(int(number[:10]) - now.timestamp()) < DAY:
            yield "the time of the export", number


def _unhashed(text: str) -> str:
    """Return a JSON text without the numbers and hashes that the format requires."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return json.dumps(value.get("extras", {})) if isinstance(value, dict) and "shards" in value else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody, as in some containers
        return ""
