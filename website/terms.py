"""The index of terms: what the section Terms of the specification defines, and the chapters that use it."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from website import markdown
from website.places import ROOT, SPECIFICATION

PAGE = f"{SPECIFICATION}/terms"
"""The page of the index."""

_OVERVIEW = "spec/README.md"
_MARK = re.compile(r"\*\*([^*]+)\*\*")
_ITEM = re.compile(r"^\* (.*)$", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=\.) (?=(?:An?|The) \*\*)|(?<=;) (?=an? \*\*)")


def section() -> str:
    """Return the section of the overview that defines the terms."""
    text = (ROOT / _OVERVIEW).read_text(encoding="utf-8")
    return text.partition("\n## Terms\n")[2].partition("\n## ")[0]


@cache
def terms() -> Mapping[str, str]:
    """Return the definition of each term, by the term. Raises ValueError for a term that is defined twice."""
    table: dict[str, str] = {}
    for item in _ITEM.findall(section()):
        for sentence in _SENTENCE.split(item):
            for term in _MARK.findall(sentence):
                if term in table:
                    raise ValueError(f"the term {term} is defined twice")
                table[term] = _definition(sentence, term)
    return table


def is_used(term: str, text: str) -> bool:
    """Return whether a text contains a term, as a noun in singular or plural."""
    return re.search(rf"\b{re.escape(term)}(s|es)?\b", text, re.IGNORECASE) is not None


def users(term: str) -> list[str]:
    """Return the chapters that use a term, by the names of their pages, without the overview."""
    from website.chapters import CHAPTERS  # noqa: PLC0415 - chapters import the guides, which list this page

    texts = {name: ROOT / "spec" / f"{name}.md" for name in CHAPTERS if name not in ("overview", "rules")}
    return [name for name, path in texts.items() if is_used(term, path.read_text(encoding="utf-8"))]


def write(folder: Path) -> None:
    """Write the Markdown of the index."""
    lines = [
        "# Index of terms\n",
        "Every term that the specification defines, and the chapters that use it.",
        "[Terms](overview.md#terms) has the definitions in the order of subjects.\n",
    ]
    for term in sorted(terms(), key=str.casefold):
        definition = markdown.adapted(terms()[term], _OVERVIEW, PAGE)
        chapters = ", ".join(f"[{_title(name)}]({name}.md)" for name in users(term))
        lines.append(f'* <span id="term-{markdown.slug(term)}">**{term}**</span>: {definition}')
        lines.append(f'  <span class="users">Used in {chapters}.</span>')
    markdown.write(folder, PAGE, "\n".join(lines) + "\n")


def _definition(sentence: str, term: str) -> str:
    """Return what follows a term and its colon, or else the sentence without marks."""
    lead = f"**{term}**: "
    text = sentence.removeprefix(lead) if sentence.startswith(lead) else _MARK.sub(r"\1", sentence)
    return _MARK.sub(r"\1", text.removesuffix(";").removesuffix(".")) + "."


def _title(chapter: str) -> str:
    text = (ROOT / "spec" / f"{chapter}.md").read_text(encoding="utf-8")
    return text.partition("\n")[0].removeprefix("# ").removesuffix(" (informative)")
