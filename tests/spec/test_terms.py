"""The terms of the specification: each is defined once and used, including where its definition links."""

import re

import pytest

from tests.support.chapters import CHAPTERS
from website.terms import is_used, section, terms, users

LINK = re.compile(r"\]\((\w+)\.md")
BOLD = re.compile(r"\*\*([^*]+)\*\*")
MARK_OF_RULE_OR_NOTE = re.compile(r"\[LLQ-[A-Z]+-\d+\]|(Note|Example|Rationale):")
TERMS = sorted(terms())


def test_bold_type_marks_definitions_alone() -> None:
    """Only rules, notes and terms are bold; the annex on the founding article is exempt."""
    for name in sorted(CHAPTERS.keys() - {"interpretation.md"}):
        text = CHAPTERS[name].replace(section(), "") if name == "README.md" else CHAPTERS[name]
        prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
        assert [mark for mark in BOLD.findall(prose) if not MARK_OF_RULE_OR_NOTE.fullmatch(mark)] == [], name


def test_every_mark_of_the_section_is_a_term() -> None:
    assert sorted(BOLD.findall(section())) == TERMS
    assert len({term.casefold() for term in TERMS}) == len(TERMS)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_used_by_a_chapter(term: str) -> None:
    assert users(term)


@pytest.mark.parametrize("term", TERMS)
def test_a_chapter_that_a_definition_links_to_uses_the_term(term: str) -> None:
    for chapter in LINK.findall(terms()[term]):
        assert is_used(term, CHAPTERS[f"{chapter}.md"]), chapter


def test_a_plural_is_a_use_and_a_part_of_a_word_is_not() -> None:
    assert is_used("pass", "all passes")
    assert is_used("block", "Blocks")
    assert not is_used("code", "encodes")
