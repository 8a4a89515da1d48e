"""The WGSL module by the letter of its chapter: sections, and the entry points in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_STAGE = re.compile(r"@[ \n]*(?:compute|vertex|fragment)(?![A-Za-z0-9_])")


@dataclass
class Section:
    """A section: its name, whether it is outside comments, and its text."""

    name: str
    portable: bool
    text: str

    @property
    def code(self) -> str:
        """The text without line comments."""
        return "\n".join(line.split("//")[0] for line in self.text.split("\n"))


def sections(data: bytes) -> tuple[list[Section], set[str]]:
    """Return the sections of a module and the rules among WGSL-1 to WGSL-4 that it violates."""
    if not 1 <= len(data) <= 1_048_576 or any(byte != 10 and not 0x20 <= byte <= 0x7E for byte in data):
        return [], {"WGSL-1"}
    found = _framed(data.decode("ascii"))
    if found is None or not found:
        return [], {"WGSL-2"}
    if len({section.name for section in found}) < len(found):
        return found, {"WGSL-2"}
    violations = {"WGSL-3" for section in found if "/*" in section.text or "*/" in section.text}
    for section in found:
        if any(
            _EntryPoint(section.code, match.start()).name is None for match in _STAGE.finditer(section.code)
        ):
            violations.add("WGSL-4")
    return found, violations


def _framed(text: str) -> list[Section] | None:
    """Return the sections of a text, None if a line is outside of them."""
    if not text.endswith("\n"):
        return None
    lines = iter(text[:-1].split("\n"))
    found = []
    for first in lines:
        portable, name = first.startswith("//"), first[10:]
        if first[:10] not in ("//: begin ", "/*: begin ") or not _NAME.fullmatch(name):
            return None
        last = f"//: end {name}" if portable else f"end {name} :*/"
        body = _until(lines, last)
        if body is None or any(line[:3] in ("//:", "/*:") for line in body):
            return None
        found.append(Section(name, portable, "".join(line + "\n" for line in body)))
    return found


def _until(lines: Iterator[str], last: str) -> list[str] | None:
    body: list[str] = []
    for line in lines:
        if line == last:
            return body
        body.append(line)
    return None


def entry_points(section: Section) -> list[str]:
    """Return the names of a section's entry points."""
    code = section.code
    names = (_EntryPoint(code, match.start()).name for match in _STAGE.finditer(code))
    return [name for name in names if name is not None]


class _EntryPoint:
    """One entry point, read from left to right; its name is None if it is not written as WGSL-4 states."""

    def __init__(self, code: str, at: int) -> None:
        self.code, self.at = code, at
        self.name = self._read()

    def _read(self) -> str | None:
        if not (self._text("@compute") and self._space() and self._text("@workgroup_size(")):
            return None
        sizes = self._sizes()
        if sizes is None or not self._text(")"):
            return None
        self._space()
        if not (self._text("fn") and self._space()):
            return None
        name = self._match(r"[A-Za-z][A-Za-z0-9_]*")
        self._space()
        if name is None or not self._text("("):
            return None
        x, y, z = [*sizes, 1, 1][:3]
        return name if 1 <= x * y * z <= 256 and z <= 64 else None

    def _sizes(self) -> list[int] | None:
        sizes: list[int] = []
        while len(sizes) < 3:
            self._space()
            digits = self._match(r"0|[1-9][0-9]{0,2}")
            if digits is None:
                return None
            sizes.append(int(digits))
            self._space()
            if len(sizes) == 3 or not self._text(","):
                break
        return sizes

    def _text(self, expected: str) -> bool:
        found = self.code.startswith(expected, self.at)
        self.at += len(expected) * found
        return found

    def _space(self) -> bool:
        begin = self.at
        while self.code[self.at : self.at + 1] in (" ", "\n"):
            self.at += 1
        return self.at > begin

    def _match(self, pattern: str) -> str | None:
        match = re.compile(pattern).match(self.code, self.at)
        self.at = match.end() if match else self.at
        return match[0] if match else None
