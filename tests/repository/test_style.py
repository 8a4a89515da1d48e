"""The English of the guides: idioms and length of sentences, and headings of tables."""

from itertools import pairwise

import pytest

from tests.support.chapters import CHAPTERS
from tests.support.prose import idioms, sentences, words
from tests.support.repository import ROOT

GENERATED = {"docs/mutants.md", "docs/quality.md"}
"""Pages that hold texts of models or titles of mutants; the source of the second is one of the guides."""

PATTERNS = ("*.md", "docs/*.md", "conformance/*.md", "vectors/*.md", "web/*.md", "benchmarks/*.md")
GUIDES = sorted(
    {str(path.relative_to(ROOT)) for pattern in PATTERNS for path in ROOT.glob(pattern)} - GENERATED
)
ALLOWED = {"the founding article"}
"""Idioms of the list that guides may use: the specification alone cites the article once."""

MAX_WORDS = 25


@pytest.mark.parametrize("name", GUIDES)
def test_no_idiom_is_used_in_a_guide(name: str) -> None:
    found = {
        (line, sentence): set(idioms(sentence)) - ALLOWED
        for line, sentence in sentences((ROOT / name).read_text("utf-8"))
    }
    assert {place: names for place, names in found.items() if names} == {}


@pytest.mark.parametrize("name", GUIDES)
def test_no_sentence_of_a_guide_is_long(name: str) -> None:
    lengths = {
        (line, sentence): words(sentence) for line, sentence in sentences((ROOT / name).read_text("utf-8"))
    }
    assert lengths
    assert {place: length for place, length in lengths.items() if length > MAX_WORDS} == {}


@pytest.mark.parametrize("name", [*GUIDES, *(f"spec/{chapter}" for chapter in CHAPTERS)])
def test_every_column_of_a_table_has_a_heading(name: str) -> None:
    lines = (ROOT / name).read_text("utf-8").splitlines()
    headings = [line for line, rule in pairwise(lines) if rule.startswith(("|-", "|:-"))]
    assert [heading for heading in headings if not all(map(str.strip, heading.strip("|").split("|")))] == []


def test_the_annex_interpretation_has_no_long_sentence_in_tables_and_lists() -> None:
    text = (ROOT / "spec" / "interpretation.md").read_text("utf-8")
    long = [(line, sentence) for line, sentence in sentences(text) if words(sentence) > MAX_WORDS]
    assert long == []
