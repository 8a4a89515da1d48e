"""The built site: every link leads somewhere, every rule has a page and an anchor, nothing is fetched."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from markdown_it import MarkdownIt

from conformance.mutation.mutants import MUTANTS
from llq_format.metadata.finding_codes import codes_of
from llq_format.metadata.rules import registry
from llq_format.metadata.rules_page import chapters
from website import terms
from website.markdown import slug
from website.places import pages

pytestmark = pytest.mark.slow

FETCHED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}
"""The attribute of each element by which a page fetches a file when it is opened."""

MARKDOWN = MarkdownIt()
VOID_RELATIONS = {"canonical", "author"}


@dataclass
class Page(HTMLParser):
    """The ids, links and fetched files of a page."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record an element."""
        attributes = dict(attrs)
        if identifier := attributes.get("id"):
            self.ids.add(identifier)
        if tag == "a" and (link := attributes.get("href")) is not None:
            self.links.append(link)
        if (address := attributes.get(FETCHED.get(tag, ""))) and attributes.get("rel") not in VOID_RELATIONS:
            self.fetched.append(address)

    def handle_data(self, data: str) -> None:
        """Record text."""
        self.words.append(data)

    @property
    def text(self) -> str:
        """The text of the page, with single spaces."""
        return " ".join("".join(self.words).split())


@pytest.fixture(scope="session")
def read_pages(site: Path) -> Mapping[Path, Page]:
    """Return every page of the site, by path."""
    table: dict[Path, Page] = defaultdict(Page)
    for path in sorted(site.rglob("*.html")):
        table[path].feed(path.read_text(encoding="utf-8"))
    return dict(table)


def test_every_link_leads_to_a_page_and_an_anchor(site: Path, read_pages: Mapping[Path, Page]) -> None:
    broken = []
    for path, page in read_pages.items():
        for link in [*page.links, *page.fetched]:
            address = urlsplit(link)
            if address.scheme:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            anchors = read_pages[target].ids if target in read_pages else set()
            if not target.is_file() or (address.fragment and unquote(address.fragment) not in anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_pages_fetch_nothing_from_elsewhere(site: Path, read_pages: Mapping[Path, Page]) -> None:
    for path, page in read_pages.items():
        assert [address for address in page.fetched if urlsplit(address).netloc] == [], path
    for style in site.rglob("*.css"):
        assert re.search(r"@import|url\(['\"]?(https?:)?//", style.read_text(encoding="utf-8")) is None, style


def test_every_rule_has_a_page_and_an_anchor_on_both_editions(
    site: Path, read_pages: Mapping[Path, Page]
) -> None:
    whole = read_pages[site / "1.0" / "index.html"]
    for rule in registry():
        chapter = site / f"{pages()[f'spec/{chapters()[rule]}']}.html"
        assert rule in whole.ids
        assert rule in read_pages[chapter].ids
        assert site / "rules" / f"{rule}.html" in read_pages


def test_the_page_of_a_rule_says_what_is_known_of_it(site: Path, read_pages: Mapping[Path, Page]) -> None:
    for rule in registry().values():
        text = read_pages[site / "rules" / f"{rule.id}.html"].text
        for part in (rule.sentence, rule.remedy):
            plain = Page()
            plain.feed(MARKDOWN.render(part))
            assert plain.text in text, (rule.id, plain.text)
        assert f"kind {rule.kind} stage {rule.stage} severity {rule.severity}" in text.replace("\n", " ")
        assert [code.name for code in codes_of(rule.id) if code.name not in text] == []
        mutants = [mutant.name for mutant in MUTANTS.values() if mutant.rule == rule.id]
        assert [name for name in mutants if name not in text] == []


def test_a_vector_shows_the_bytes_that_differ(site: Path, read_pages: Mapping[Path, Page]) -> None:
    text = read_pages[site / "rules" / "LLQ-REC-1.html"].text
    assert "Difference from the valid vector control" in text
    assert re.search(r"bytes? \d+ .*differs?:", text)


def test_every_mutant_is_in_the_kill_matrix(site: Path, read_pages: Mapping[Path, Page]) -> None:
    text = read_pages[site / "measurements" / "kill-matrix.html"].text
    assert [name for name in MUTANTS if name not in text] == []


def test_the_index_of_terms_has_every_term_with_an_anchor(
    site: Path, read_pages: Mapping[Path, Page]
) -> None:
    page = read_pages[site / f"{terms.PAGE}.html"]
    for term in terms.terms():
        assert f"term-{slug(term)}" in page.ids
        assert f"{term}: " in page.text


def test_the_search_index_has_the_rules(site: Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert "rules/LLQ-PACK-3" in index
    assert "subnormal" in index
