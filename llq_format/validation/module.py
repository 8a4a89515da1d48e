"""Stage `program`, the WGSL module: its bytes, its sections and their entry points (rules LLQ-WGSL-n)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llq_format.metadata.findings import Finding, Place, shown

MAX_BYTES = 1 << 20
MAX_INVOCATIONS, MAX_DEPTH = 256, 64  # of a workgroup, and in its third dimension
_FOREIGN = re.compile(rb"[^\n\x20-\x7E]")
_BEGIN = re.compile(r"(//|/\*): begin ([a-z][a-z0-9_]{0,63})")
_COMMENT_MARK = re.compile(r"/\*|\*/")
_LINE_COMMENT = re.compile(r"//[^\n]*")
_COMPUTE = re.compile(r"@\s*(compute|vertex|fragment)\b")
_SIZE = r"\s*([0-9]{1,3})\s*"
_ENTRY_POINT = re.compile(
    rf"@compute\s+@workgroup_size\({_SIZE}(?:,{_SIZE}(?:,{_SIZE})?)?\)\s*fn\s+([A-Za-z][A-Za-z0-9_]*)\s*\("
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the module: its text, and the line (from 1) that its text begins on.

    portable: whether it stands outside comments, and so belongs to the module as it stands.
    """

    name: str
    text: str
    line: int
    portable: bool

    @property
    def entry_points(self) -> list[str]:
        """Names of the entry points, in order (rule LLQ-WGSL-4)."""
        return [match[4] for match in _ENTRY_POINT.finditer(_LINE_COMMENT.sub("", self.text))]


def check_module(data: bytes, file: str) -> tuple[tuple[Section, ...], list[Finding]]:
    """Return the sections of a module of at most MAX_BYTES, and the breaches of rules LLQ-WGSL-1 to 4.

    The sections mean something only if there is no finding of LLQ-WGSL-1 or LLQ-WGSL-2.
    """
    if not data or len(data) > MAX_BYTES:
        return (), [module_size(len(data), file)]
    foreign = _FOREIGN.search(data)
    if foreign is not None:
        place = Place(file=file, offset=foreign.start())
        return (), [Finding("LLQ-WGSL-1", place, f"byte {foreign[0][0]:02X}", "0A or 20 to 7E")]
    try:
        sections = tuple(_sections(data.decode("ascii"), file))
    except _FramingError as error:
        return (), [error.finding]
    findings = list(_repeated(sections, file))
    for section in sections:
        findings += [*_comment_marks(section, file), *_entry_points(section, file)]
    return sections, sorted(findings, key=lambda finding: finding.order)


def module_size(size: int, file: str) -> Finding:
    """Return the finding of a module of the wrong size."""
    return Finding("LLQ-WGSL-1", Place(file=file), f"{size} bytes", f"1 to {MAX_BYTES} bytes")


class _FramingError(Exception):
    """The module is no sequence of sections."""

    def __init__(self, file: str, line: int, found: str, expected: str) -> None:
        super().__init__()
        self.finding = Finding("LLQ-WGSL-2", Place(file=file, line=line), found, expected)


def _sections(text: str, file: str) -> Iterator[Section]:
    """Yield the sections. Raises _FramingError."""
    if not text.endswith("\n"):
        raise _FramingError(file, text.count("\n") + 1, "a last line without line feed", "a line feed")
    lines: Sequence[str] = text.split("\n")[:-1]
    at = 0
    while at < len(lines):
        begin = _BEGIN.fullmatch(lines[at])
        if begin is None:
            raise _FramingError(file, at + 1, shown(lines[at]), "the first line of a section")
        name, portable = begin[2], begin[1] == "//"
        last = f"//: end {name}" if portable else f"end {name} :*/"
        end = next((i for i in range(at + 1, len(lines)) if lines[i] == last), None)
        if end is None:
            raise _FramingError(file, at + 1, f"a section {name} without end", shown(last))
        for number in range(at + 1, end):
            if lines[number].startswith(("//:", "/*:")):
                raise _FramingError(file, number + 1, shown(lines[number]), f"the text of section {name}")
        yield Section(name, "".join(f"{line}\n" for line in lines[at + 1 : end]), at + 2, portable)
        at = end + 1


def _repeated(sections: Sequence[Section], file: str) -> Iterator[Finding]:
    names: set[str] = set()
    for section in sections:
        if section.name in names:
            place = Place(file=file, line=section.line - 1)
            yield Finding("LLQ-WGSL-2", place, f"a second section {section.name}", "another name")
        names.add(section.name)


def _comment_marks(section: Section, file: str) -> Iterator[Finding]:
    mark = _COMMENT_MARK.search(section.text)
    if mark is not None:
        place = Place(file=file, line=section.line + section.text.count("\n", 0, mark.start()))
        yield Finding("LLQ-WGSL-3", place, f"{mark[0]} in section {section.name}", "// comments alone")


def _entry_points(section: Section, file: str) -> Iterator[Finding]:
    text = _LINE_COMMENT.sub("", section.text)
    for attribute in _COMPUTE.finditer(text):
        place = Place(file=file, line=section.line + text.count("\n", 0, attribute.start()))
        match = _ENTRY_POINT.match(text, attribute.start())
        if match is None:
            found = shown(text[attribute.start() :].split("\n", 1)[0])
            yield Finding("LLQ-WGSL-4", place, found, "@compute @workgroup_size(X, Y, Z) fn name(")
            continue
        x, y, z = (int(size or "1") for size in match.groups()[:3])
        if not 1 <= x * y * z <= MAX_INVOCATIONS or z > MAX_DEPTH:
            found = f"a workgroup of {x} x {y} x {z}"
            yield Finding(
                "LLQ-WGSL-4", place, found, f"1 to {MAX_INVOCATIONS} invocations, at most {MAX_DEPTH} deep"
            )
