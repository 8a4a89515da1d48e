"""Where the chapters of the specification state each rule, for links from reports."""

import re
from functools import cache

from .rules import RULES

_RULE = re.compile(r"\*\*\[(LLQ-[A-Z]+-\d+)\]\*\* ")


@cache
def chapters() -> dict[str, str]:
    """Return by rule the file and the anchor of the section that states it, such as `packing.md#elements`.

    Without chapters, as where only the registry is installed, there is nothing to link to.
    """
    sections: dict[str, str] = {}
    for path in sorted(RULES.parent.glob("*.md")):
        anchor = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                anchor = _anchor(line.lstrip("# "))
            elif rule := _RULE.match(line):
                sections[rule[1]] = f"{path.name}#{anchor}"
    return sections


def _anchor(heading: str) -> str:
    """Return the anchor of a heading, as renderers of Markdown commonly make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
