"""English prose in Markdown: idioms to avoid, sentences and their lengths."""

import re
from collections.abc import Iterator

from tests.support.chapters import Block, blocks

IDIOMS = {
    "is told, tells": r"\b(is|are|be) told\b|\btells?\b|\btelling\b",
    "is no X": r"(?<!there )\b(is|are|be) no\b(?! (longer|more|less)\b)",
    "least, greatest": r"(?<!at )\bleast\b(?! significant| squares)|\bgreatest\b",
    "stands, lies": r"\bstands?\b(?! alone)|\blies?\b|\blying\b",
    "behind, beside, beyond": r"\bbehind\b|\bbesides?\b|\bbeyond\b",
    "the affair of": r"\baffairs?\b",
    "anew, mend, fare, let pass": r"\banew\b|\bmend(s|ed)?\b|\bfares?\b|\blets? pass\b|\bbrings? nothing\b",
    "also within a clause": r"(?<=[a-z,] )also\b",
    "so after the verb": r"\b(is|are|can|may|must|does|do) so\b",
    "but for, save": r"\bbut for\b|\bsave\b",
    "so many, as many, of which": r"\b(so|as) (many|much)\b|\bof which\b",
    "mistake, fault": r"\bmistakes?\b|\bfaults?\b|\bfaulty\b",
    "likeliest": r"\blikeliest\b",
    "has to, is to, owes": r"\b(has|have|had|is|are) to\b|\bowes?\b|\bought\b",
    "that of, those of, the one": r"\b(that|those) of\b|\bthe one\b",
    "host for executor, replay": r"\breplay(s|ed|ing)?\b",
    "certificate": r"\bcertificates?\b",
    "patience": r"\bpatience\b",
    "the founding article": r"\b(founding )?article\b",
}
"""The idioms that plain words replace, each with the pattern that finds it in text without code."""

TWO_SENTENCES = re.compile(r"[.!?]\)? (?=[A-Z*\[`(])")
_CELLS = re.compile(r"(?<!\\)\|")
_LIST_ITEM = re.compile(r"(\*|-|\d+\.) ")


def prose(line: str) -> str:
    """Return a line with code spans and the targets of links replaced, and quotation marks kept."""
    line = re.sub(r"`[^`]*`", "CODE", line)
    return re.sub(r"\]\([^)]*\)", "]", line)


def words(sentence: str) -> int:
    """Return the number of words of a sentence, a code span or a formula counting as one."""
    text = re.sub(r"`[^`]*`", "x", sentence)
    text = re.sub(r"\S+(?: (?:[·+−=≤≥<>/⊙&|×→]|>>) \S+)+", "x", text)
    return len(text.split())


def idioms(text: str) -> list[str]:
    """Return the names of the idioms in a text."""
    return [name for name, pattern in IDIOMS.items() if re.search(pattern, prose(text), re.IGNORECASE)]


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the number of the line and the text of each sentence of a page, without headings and code."""
    for block in blocks(text):
        if block.kind == "table":
            yield from ((number, cell) for number, line in _lines(block) for cell in _cells(line))
        elif block.kind in ("list", "paragraph", "quote", "rule"):
            yield from ((number, part) for number, item in _items(block) for part in _split(item))


def _lines(block: Block) -> Iterator[tuple[int, str]]:
    return enumerate((line.strip() for line in block.lines), block.line)


def _cells(line: str) -> Iterator[str]:
    return (part for cell in _CELLS.split(line.strip("|")) for part in _split(cell.strip()))


def _items(block: Block) -> list[tuple[int, str]]:
    """Return the number of the first line and the text of each item of a list, or of a whole paragraph."""
    items: list[tuple[int, str]] = []
    for number, line in _lines(block):
        text = line.lstrip("> ")
        if not items or _LIST_ITEM.match(text):
            items.append((number, _LIST_ITEM.sub("", text, count=1)))
        else:
            start, before = items[-1]
            items[-1] = (start, f"{before} {text}")
    return items


def _split(text: str) -> list[str]:
    """Return the sentences of a text."""
    return [part for part in re.split(r"(?<=[.!?])\)? (?=[A-Z*\[`(])", text) if part]
