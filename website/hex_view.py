"""Bytes of packages as rows of hexadecimal digits: the first of a shard, or what differs in two files."""

import difflib
import json
from collections.abc import Iterator

from conformance.reporting.html.markup import Html, element, text

ROW = 16
MAX_ROWS = 6
"""Maximum number of rows of one view."""

MAX_LINES = 24
"""Maximum number of lines of a comparison of JSON."""

MAX_WIDTH = 110
_HASHED = ('"sha256"', '"digest"')


def beginning(data: bytes) -> str:
    """Return the first rows that are not zeros, with their offsets."""
    offsets = [offset for offset in range(0, len(data), ROW) if any(data[offset : offset + ROW])]
    return "\n".join(_rows(data, offsets[:MAX_ROWS], ""))


def difference(before: bytes, after: bytes) -> Html:
    """Return the rows that differ, each as it was and as it is, and the range of the bytes that differ."""
    first, last_before, last_after = differing_range(before, after)
    start = first - first % ROW
    offsets = range(start, max(last_before, last_after) + 1, ROW)
    shown = [offset for offset in offsets if before[offset : offset + ROW] != after[offset : offset + ROW]][
        :MAX_ROWS
    ]
    lines = list(_changes(before, after, shown))
    if last_after < first:
        extent = f"{last_before - first + 1} bytes are missing from byte {first}"
    else:
        extent = f"bytes {first} to {last_after} differ" if last_after > first else f"byte {first} differs"
    return text(element("p", f"{extent}:"), element("pre", *lines))


def differing_range(before: bytes, after: bytes) -> tuple[int, int, int]:
    """Return the first byte that differs, and the last one in each of two texts that end alike."""
    shorter = min(len(before), len(after))
    first = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    tail = 0
    while tail < shorter - first and before[len(before) - 1 - tail] == after[len(after) - 1 - tail]:
        tail += 1
    return first, len(before) - 1 - tail, len(after) - 1 - tail


def json_difference(before: bytes, after: bytes) -> Html | None:
    """Return the lines that differ if both are JSON and say something else; hashes are left out."""
    try:
        old, new = (_lines(data) for data in (before, after))
    except (ValueError, RecursionError):
        return None
    lines = [
        line
        for line in difflib.unified_diff(old, new, n=1, lineterm="")
        if not line.startswith(("---", "+++", "@@")) and not any(hashed in line for hashed in _HASHED)
    ]
    changed = any(line.startswith(("+", "-")) for line in lines)
    if not changed or not all(line.isprintable() for line in lines):
        return None
    return element("pre", *(_change(_cut(line)) for line in lines[:MAX_LINES]))


def _lines(data: bytes) -> list[str]:
    return json.dumps(json.loads(data), indent=1, ensure_ascii=False).splitlines()


def _changes(before: bytes, after: bytes, offsets: list[int]) -> Iterator[Html]:
    for offset in offsets:
        for data, sign in ((before, "-"), (after, "+")):
            if offset < len(data):
                yield from map(_change, _rows(data, [offset], sign))


def _rows(data: bytes, offsets: list[int], sign: str) -> Iterator[str]:
    for offset in offsets:
        row = data[offset : offset + ROW]
        characters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        yield f"{sign}{offset:6d}  {row.hex(' ').upper():<{3 * ROW - 1}}  {characters}"


def _change(line: str) -> Html:
    kind = {"+": "ins", "-": "del"}.get(line[:1])
    return text(element(kind, line) if kind else line, "\n")


def _cut(line: str) -> str:
    return line if len(line) <= MAX_WIDTH else f"{line[:MAX_WIDTH]}…"
