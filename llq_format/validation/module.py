"""Stage `program`, the WGSL module: its bytes, its sections and their entry points (rules LLQ-WGSL-n)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llq_format.metadata.findings import Finding, Place

MAX_BYTES = 1 << 20
MAX_INVOCATIONS, MAX_DEPTH = 256, 64  # invocations of a workgroup, and in its third dimension
_FOREIGN = re.compile(rb"[^\n\x20-\x7E]")
_BEGIN = re.compile(r"(//|/\*): begin ([a-z][a-z0-9_]{0,63})")
_COMMENT_MARK = re.compile(r"/\*|\*/")
_LINE_COMMENT = re.compile(r"//[^\n]*")
_COMPUTE = re.compile(r"@\s*(compute|vertex|fragment)\b")
_SIZE = r"\s*(0|[1-9][0-9]{0,2})\s*"
_ENTRY_POINT = re.compile(
    rf"@compute\s+@workgroup_size\({_SIZE}(?:,{_SIZE}(?:,{_SIZE})?)?\)\s*fn\s+([A-Za-z][A-Za-z0-9_]*)\s*\("
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the module: its text, and the line (from 1) that its text begins on.

    portable: whether it is outside comments, and therefore belongs to the module itself.
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
    """Return the sections of a module of at most MAX_BYTES, and the violations of rules LLQ-WGSL-1 to 4.

    The sections are valid only without findings of LLQ-WGSL-1 and LLQ-WGSL-2.
    """
    if not data or len(data) > MAX_BYTES:
        return (), [module_size(len(data), file)]
    foreign = _FOREIGN.search(data)
    if foreign is not None:
        place = Place(file=file, offset=foreign.start())
        return (), [Finding("module-foreign-byte", place, {"byte": f"{foreign[0][0]:02X}"})]
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
    values = {"byte_length": size, "minimum": 1, "maximum": MAX_BYTES}
    return Finding("module-size", Place(file=file), values)


class _FramingError(Exception):
    """The module is not a sequence of sections."""

    def __init__(self, code: str, file: str, line: int, **values: str) -> None:
        super().__init__()
        self.finding = Finding(code, Place(file=file, line=line), values)


def _sections(text: str, file: str) -> Iterator[Section]:
    """Yield the sections. Raises _FramingError."""
    if not text.endswith("\n"):
        raise _FramingError("module-without-final-line-feed", file, text.count("\n") + 1)
    lines: Sequence[str] = text.split("\n")[:-1]
    at = 0
    while at < len(lines):
        begin = _BEGIN.fullmatch(lines[at])
        if begin is None:
            raise _FramingError("line-outside-sections", file, at + 1, text=lines[at])
        name, portable = begin[2], begin[1] == "//"
        last = f"//: end {name}" if portable else f"end {name} :*/"
        end = next((i for i in range(at + 1, len(lines)) if lines[i] == last), None)
        if end is None:
            raise _FramingError("section-without-end", file, at + 1, section=name, end=last)
        for number in range(at + 1, end):
            if lines[number].startswith(("//:", "/*:")):
                text = lines[number]
                raise _FramingError("framing-within-section", file, number + 1, text=text, section=name)
        yield Section(name, "".join(f"{line}\n" for line in lines[at + 1 : end]), at + 2, portable)
        at = end + 1


def _repeated(sections: Sequence[Section], file: str) -> Iterator[Finding]:
    names: set[str] = set()
    for section in sections:
        if section.name in names:
            place = Place(file=file, line=section.line - 1)
            yield Finding("section-name-repeated", place, {"section": section.name})
        names.add(section.name)


def _comment_marks(section: Section, file: str) -> Iterator[Finding]:
    mark = _COMMENT_MARK.search(section.text)
    if mark is not None:
        place = Place(file=file, line=section.line + section.text.count("\n", 0, mark.start()))
        yield Finding("block-comment-in-section", place, {"mark": mark[0], "section": section.name})


def _entry_points(section: Section, file: str) -> Iterator[Finding]:
    text = _LINE_COMMENT.sub("", section.text)
    for attribute in _COMPUTE.finditer(text):
        place = Place(file=file, line=section.line + text.count("\n", 0, attribute.start()))
        match = _ENTRY_POINT.match(text, attribute.start())
        if match is None:
            line = text[attribute.start() :].split("\n", 1)[0]
            yield Finding("entry-point-malformed", place, {"text": line})
            continue
        x, y, z = (int(size or "1") for size in match.groups()[:3])
        if not 1 <= x * y * z <= MAX_INVOCATIONS or z > MAX_DEPTH:
            limits = {"maximum": MAX_INVOCATIONS, "maximum_z": MAX_DEPTH}
            yield Finding("workgroup-size-out-of-range", place, {"x": x, "y": y, "z": z, **limits})
