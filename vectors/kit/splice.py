"""A package as changes of the files of another vector: it takes no files of its own."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from vectors.kit.package import Sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

Step = dict[str, Any]
NUMBER = "<n>"
"""The mark that the number of a repetition replaces, from 0, in six digits."""

_TOKEN = re.compile(rb"[^,]*,|[^,]+")


def splice(file: str, offset: int, length: int, text: str, count: int = 1) -> Step:
    """Return the step that replaces `length` bytes at `offset` by `count` repetitions of a text."""
    step = {"op": "splice", "file": file, "offset": offset, "length": length, "text": text}
    return step if count == 1 else {**step, "count": count}


def applied(data: bytes, step: Step) -> bytes:
    """Return the bytes of a file after a splice."""
    repetitions = (step["text"].replace(NUMBER, f"{n:06d}") for n in range(step.get("count", 1)))
    start, end = step["offset"], step["offset"] + step["length"]
    return data[:start] + "".join(repetitions).encode() + data[end:]


def differences(file: str, old: bytes, new: bytes) -> Iterator[Step]:
    """Yield the splices that make one text of JSON another, from its end to its start."""
    before, after = _TOKEN.findall(old), _TOKEN.findall(new)
    ends = [0]
    for token in before:
        ends.append(ends[-1] + len(token))
    for tag, i, j, k, m in reversed(SequenceMatcher(None, before, after, autojunk=False).get_opcodes()):
        if tag != "equal":
            yield splice(file, ends[i], ends[j] - ends[i], b"".join(after[k:m]).decode())


def spliced(base: str, old: Sealed, new: Sealed, first: Step | None = None) -> Sealed:
    """Return a changed package as steps to be applied to the package of a valid vector.

    base: the id of that vector, whose files are `old`. first: the splice of its own file, where there is one.
    """
    steps = [first] if first else []
    for file in sorted(new.files.keys() - {step["file"] for step in steps}):
        if old.files[file] != new.files[file]:
            steps += differences(file, old.files[file], new.files[file])
    return Sealed(new.files, new.tensors, steps, base)
