"""Reports: the JSON with its provenance, and the page, which must escape hostile text."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conformance.core.check import Outcome
from conformance.core.rules import registry
from conformance.core.vectors import VECTORS, load
from conformance.reporting import provenance
from conformance.reporting.html.markup import Html, element, text
from conformance.reporting.html.report_page import report_page
from conformance.reporting.report import ReportError, read, write
from conformance.runtimes import messages
from examples.python.miniatures import NibblePairs, Right
from tests.support.repository import ROOT
from tests.support.sample_reports import FEW, HOSTILE, Hostile, report_of, vectors


class Tags(HTMLParser):
    """Collects elements, ids, links and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Keep text."""
        self.words += data

    def values(self, attribute: str) -> list[str]:
        """Return all values of an attribute."""
        return [value for _, attributes in self.tags if (value := attributes.get(attribute))]


def test_a_report_follows_its_schema_and_has_every_rule() -> None:
    report = report_of()
    messages.conform(json.loads(json.dumps(report)), "report")
    assert [rule["id"] for rule in report["rules"]] == list(registry())
    assert set(report["descriptions"]) == set(FEW)
    assert sum(report["totals"].values()) == len(report["results"])
    assert all(
        result["seconds"] > 0 for result in report["results"] if result["outcome"] != Outcome.NOT_CLAIMED
    )


def test_the_place_of_every_rule_is_correct() -> None:
    for rule in report_of()["rules"]:
        file, anchor = rule["stated"].split("#")
        chapter = (ROOT / "spec" / file).read_text(encoding="utf-8")
        assert f"**[{rule['id']}]**" in chapter
        headings = re.findall(r"^#+ (.+)$", chapter, re.MULTILINE)
        assert anchor in [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def test_digests_change_with_what_they_are_of(tmp_path: Path) -> None:
    files = [("a", tmp_path / "a"), ("b", tmp_path / "b")]
    for _, path in files:
        path.write_text("same")
    before = provenance.digest(files)
    assert before == provenance.digest(reversed(files))
    line = hashlib.sha256(b"same").hexdigest()
    assert before == hashlib.sha256(f"{line}  a\n{line}  b\n".encode()).hexdigest()
    files[1][1].write_text("other")
    assert provenance.digest(files) != before


def test_the_digest_of_vectors_is_of_every_file_that_a_check_reads() -> None:
    some = [vector for vector in load() if vector.id in (*FEW, "matvec-blocks-int8")]
    provenance_of_some = provenance.vectors(VECTORS, some)
    assert provenance_of_some["count"] == len(some)
    for number in range(len(some)):
        fewer = some[:number] + some[number + 1 :]
        assert provenance.vectors(VECTORS, fewer)["sha256"] != provenance_of_some["sha256"]


def test_the_adapter_is_identified_by_its_files() -> None:
    (adapter,) = report_of(Right)["runtime"]["adapter"]
    source = ROOT / "examples" / "python" / "miniatures.py"
    assert adapter == {
        "file": "examples/python/miniatures.py",
        "sha256": hashlib.sha256(source.read_bytes()).hexdigest(),
    }


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    report = report_of()
    write(report, tmp_path / "new" / "report", "page")
    assert read(tmp_path / "new" / "report") == report
    assert sorted(path.name for path in (tmp_path / "new" / "report").iterdir()) == [
        "index.html",
        "report.json",
    ]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ("{", "is not a report of the suite"),
        ("[]", "is not a report of the suite"),
        ('{"report": 2}', "is a report of version 2; this suite reads version 1"),
        ('{"report": 1}', "is a required property"),
    ],
)
def test_what_is_not_a_report_is_refused(tmp_path: Path, contents: str, message: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(contents)
    with pytest.raises(ReportError, match=message):
        read(file)
    with pytest.raises(ReportError, match="pass a directory that --report wrote"):
        read(tmp_path / "nowhere")


# ---- The page ----


def test_the_page_shows_a_failure_in_full(tmp_path: Path) -> None:
    page = Tags(report_page(report_of(NibblePairs), tmp_path))
    for phrase in (
        "DOES NOT CONFORM as decode: 4 of 4 checks not passed.",
        "nibble pairs, even column in the low nibble",
        "element 0: row 0, column 0",
        "3FC00000  1.5",
        "block 0 (0, 0), row 0, column 0 of the block",
        "llq rerun worked-example --runtime=py:examples.python.miniatures:NibblePairs",
        registry()["LLQ-PACK-3"].remedy,
    ):
        assert phrase in page.words


def test_every_rule_can_be_linked_to_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    for runtime in (NibblePairs, Hostile):
        page = Tags(report_page(report_of(runtime), tmp_path))
        ids = page.values("id")
        assert len(ids) == len(set(ids))
        assert set(registry()) <= set(ids)
        for link in page.values("href"):
            if link.startswith("#"):
                assert link[1:] in ids
            elif not link.startswith("data:"):
                assert (tmp_path / link.partition("#")[0]).resolve().is_relative_to(ROOT / "spec")
                assert (tmp_path / link.partition("#")[0]).is_file()


def test_the_page_fetches_nothing(tmp_path: Path) -> None:
    text_of_page = report_page(report_of(), tmp_path)
    assert "://" not in text_of_page.replace("https://huggingface.co/", "")  # the text of LLQ-API-53
    page = Tags(text_of_page)
    assert not page.values("src")
    assert {attributes["rel"] for tag, attributes in page.tags if tag == "link"} == {"icon"}
    assert "default-src 'none'" in text_of_page
    assert "@import" not in text_of_page


def test_what_a_runtime_writes_is_text_in_the_page(tmp_path: Path) -> None:
    report = report_of(Hostile)
    assert HOSTILE[:20] in json.dumps(report)
    page = report_page(report, tmp_path)
    assert page.count("<script") == page.count("</script") == 1
    assert "<img" not in page
    assert "\x1b" not in page
    assert "\x00" not in page
    page.encode("utf-8")  # no lone surrogate
    assert '</script><script>document.title="owned"</script>' in Tags(page).words


def test_the_report_of_a_hostile_runtime_is_json_in_utf_8(tmp_path: Path) -> None:
    report = report_of(Hostile)
    write(report, tmp_path, "page")
    assert read(tmp_path) == report


def test_the_policy_names_the_script_of_the_page(tmp_path: Path) -> None:
    page = report_page(report_of(), tmp_path)
    script = page.partition("<script>")[2].partition("</script>")[0]
    (digest,) = re.findall(r"script-src 'sha256-([^']+)'", page)
    assert base64.b64decode(digest) == hashlib.sha256(script.encode()).digest()


def test_markup_escapes_all_but_markup() -> None:
    assert element("a", "<b>", Html("<i>"), href='"&') == '<a href="&quot;&amp;">&lt;b&gt;<i></a>'
    assert (
        element("input", disabled=True, hidden=False, class_="x", data_status=None)
        == '<input disabled class="x">'
    )
    assert text("a\x07\x7f\udfff\n") == "a\\x07\\x7f\\udfff\n"


def test_the_sample_has_vectors() -> None:
    assert len(vectors()) == len(FEW)
