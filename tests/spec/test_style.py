"""The English of the specification and its structure: idioms, length of sentences, marks of notes."""

import re
from collections.abc import Iterator

import pytest

from llq_format.metadata.rules import registry
from tests.support.chapters import CHAPTERS, Block, blocks
from tests.support.prose import TWO_SENTENCES, idioms, prose, words

MAX_WORDS = {"rule": 30, "quote": 25, "paragraph": 25}
"""Maximum length of a sentence by kind of block, in words; a code span and a formula count as one word."""

VAGUE_SUBJECT = re.compile(r"(It|They|That|These|Those|Such|This(?! rule\b)) ")
MARKED = re.compile(r"> \*\*(Note|Example|Rationale):\*\* ")
REFERS_TO_WHAT_FOLLOWS = re.compile(r"\bbelow\b|\bfollowing\b|\bthese\b|:$")
END_OF_SENTENCE = (".", ":", "?", "!", ".)", "…")


def text_blocks(name: str) -> Iterator[Block]:
    """Yield the blocks of a chapter, without code."""
    return (block for block in blocks(CHAPTERS[name]) if block.kind != "code")


def rules_of_chapters() -> set[str]:
    return {block.rule for name in CHAPTERS for block in blocks(CHAPTERS[name]) if block.rule}


@pytest.mark.parametrize("name", sorted(CHAPTERS))
def test_no_idiom_is_used_in_a_chapter(name: str) -> None:
    references = [
        (block.line + number, idioms(line))
        for block in text_blocks(name)
        for number, line in enumerate(block.lines)
        if idioms(line)
    ]
    citations = [place for place in references if place[1] == ["the founding article"]]
    # The overview cites the article once, the annex is about the article.
    allowed = {"README.md": 1, "interpretation.md": len(citations)}
    assert len(citations) == allowed.get(name, 0), citations
    assert [place for place in references if place not in citations] == []


def test_no_idiom_is_used_in_a_rule_or_a_remedy() -> None:
    rules = [registry()[rule] for rule in rules_of_chapters()]
    matches = [
        (rule.id, idioms(text)) for rule in rules for text in (rule.sentence, rule.remedy) if idioms(text)
    ]
    assert matches == []


@pytest.mark.parametrize("name", sorted(CHAPTERS))
def test_no_sentence_is_long(name: str) -> None:
    for block in blocks(CHAPTERS[name]):
        limit = MAX_WORDS.get(block.kind, 0)
        for number, sentence in enumerate(block.sentences if limit else ()):
            assert words(sentence) <= limit, (block.line + number, words(sentence), sentence)


@pytest.mark.parametrize("name", sorted(CHAPTERS))
def test_every_sentence_of_a_rule_names_its_subject(name: str) -> None:
    for block in blocks(CHAPTERS[name]):
        if block.kind == "rule":
            assert not any(VAGUE_SUBJECT.match(sentence) for sentence in block.sentences), block.lines


@pytest.mark.parametrize("name", sorted(CHAPTERS))
def test_a_line_is_one_sentence(name: str) -> None:
    for block in blocks(CHAPTERS[name]):
        if block.kind in ("rule", "quote", "paragraph"):
            for number, sentence in enumerate(block.sentences):
                place = (name, block.line + number, sentence)
                assert not TWO_SENTENCES.search(prose(sentence)), place
                assert sentence.endswith(END_OF_SENTENCE), place


def informative(heading: str, above: dict[int, bool]) -> dict[int, bool]:
    """Return whether the sections around a place are informative, by level, after a heading."""
    level = len(heading) - len(heading.lstrip("#"))
    inherited = any(value for depth, value in above.items() if depth < level)
    outer = {depth: value for depth, value in above.items() if depth < level}
    return outer | {level: inherited or "(informative)" in heading}


@pytest.mark.parametrize("name", [name for name in sorted(CHAPTERS) if name != "README.md"])
def test_what_is_not_a_rule_is_marked_as_informative(name: str) -> None:
    sections: dict[int, bool] = {}
    before: Block | None = None
    attached: Block | None = None  # the rule that tables, lists and code at this place belong to
    for block in blocks(CHAPTERS[name]):
        place = (name, block.line, block.lines[0])
        if block.kind == "heading":
            sections, attached = informative(block.lines[0], sections), None
        elif block.kind == "rule":
            attached = block
        elif not any(sections.values()):
            if block.kind == "quote":
                assert MARKED.match(block.lines[0]), place
                attached = None
            elif block.kind == "paragraph":
                assert before is not None, place
                assert before.kind == "heading", place
                attached = None
            elif block.kind != "figure":
                assert attached is not None, place
                assert REFERS_TO_WHAT_FOLLOWS.search(" ".join(attached.lines)), (attached.rule, place)
        before = block
