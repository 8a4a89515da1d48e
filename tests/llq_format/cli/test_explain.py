"""`llq explain`: rules as the specification states them."""

import json
import re

import pytest

from llq_format.metadata import site
from llq_format.metadata.finding_codes import FINDING_CODES
from tests.support.command_line import llq, on_terminal
from tests.support.repository import ROOT

RULES = json.loads((ROOT / "spec" / "rules.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("spelling", ["LLQ-PART-4", "part-4", "Part_4", "llq-part-4", "[LLQ-PART-4]"])
def test_a_rule_by_any_spelling(spelling: str) -> None:
    result = llq("explain", spelling)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == [
        "LLQ-PART-4",
        "  The `offset` of a part MUST be a multiple of 256.",
    ]
    assert (
        "remedy      Place the part on a multiple of 256, so that WebGPU can bind it in place."
        in result.stdout
    )
    assert "severity    error" in result.stdout
    assert "stage       parts" in result.stdout
    assert "applies to  writers, readers" in result.stdout
    assert "chapter Shards and records, section Parts (spec/records.md, line " in result.stdout


def test_what_follows_the_rule_in_the_chapter_is_printed_and_code_keeps_its_layout() -> None:
    text = llq("explain", "pack-7").stdout
    assert "  low   = (packed[byte]        >> shift) & 3\n" in text
    assert "LLQ-PACK-5" not in text


def test_json_has_every_rule_with_the_place_of_its_sentence() -> None:
    entries = json.loads(llq("explain", "--json").stdout)
    assert [entry["id"] for entry in entries] == [rule["id"] for rule in RULES["rules"]]
    for entry, rule in zip(entries, RULES["rules"], strict=True):
        assert {name: entry[name] for name in rule} == rule
        stated = entry["stated"]
        lines = (ROOT / "spec" / stated["file"]).read_text(encoding="utf-8").splitlines()
        assert lines[stated["line"] - 1].startswith(f"**[{rule['id']}]** ")
        assert stated["chapter"] == lines[0].removeprefix("# ")


def test_the_codes_of_findings_are_listed_with_their_texts() -> None:
    lines = llq("explain", "shard-4").stdout.splitlines()
    at = lines.index("  finding codes")
    assert lines[at + 1 : at + 3] == [
        "    shard-index-wrong  found shard_index {shard_index}, expected {expected}",
        "    shard-count-wrong  found shard_count {shard_count}, expected {expected}",
    ]
    assert "finding codes" not in llq("explain", "read-1").stdout


def test_json_has_the_codes_of_every_rule() -> None:
    entries = {entry["id"]: entry["findings"] for entry in json.loads(llq("explain", "--json").stdout)}
    assert {code["code"] for codes in entries.values() for code in codes} == set(FINDING_CODES)
    assert entries["LLQ-READ-1"] == []
    assert entries["LLQ-PART-4"] == [
        {
            "code": "part-offset-not-aligned",
            "found": "offset {offset}",
            "expected": "a multiple of {alignment}",
            "values": ["alignment", "offset"],
        }
    ]


def test_json_of_one_rule_is_one_object() -> None:
    assert json.loads(llq("explain", "deq-1", "--json").stdout)["id"] == "LLQ-DEQ-1"


def test_without_a_rule_all_are_listed_by_stage() -> None:
    text = llq("explain").stdout
    assert re.findall(r"^(\d+)\. (\w+)$", text, re.MULTILINE) == [
        (str(number), stage) for number, stage in enumerate(RULES["stages"], 1)
    ]
    for rule in RULES["rules"]:
        assert re.search(rf"^  {rule['id']} +{re.escape(rule['sentence'])}$", text, re.MULTILINE)


def test_an_unknown_rule_is_misuse_with_near_matches() -> None:
    result = llq("explain", "prt-4")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "rule prt-4 not found: did you mean LLQ-PART-4" in result.stderr
    assert "`llq explain` lists all rules" in llq("explain", "zzzzzz").stderr


def test_on_a_terminal_paragraphs_fit() -> None:
    for arguments in ((), ("shard-1",), ("read-2",)):
        status, _, plain = on_terminal("explain", *arguments)
        assert status == 0
        assert max(map(len, plain.splitlines())) <= 80


def test_the_address_is_the_page_of_the_site_or_else_the_chapter(monkeypatch: pytest.MonkeyPatch) -> None:
    chapter = (ROOT / "spec" / "records.md").as_uri()
    monkeypatch.setattr(site, "read_json", lambda _: {"address": ""})
    assert llq("explain", "part-4", "--url").stdout == f"{chapter}\n"
    for address in ("https://llq.example", "https://llq.example/"):
        monkeypatch.setattr(site, "read_json", lambda _, address=address: {"address": address})
        assert llq("explain", "part-4", "--url").stdout == "https://llq.example/rules/LLQ-PART-4.html\n"


@pytest.mark.parametrize("area", ["DEQ", "deq", "LLQ-DEQ", "llq-deq-", "DEQ-*"])
def test_an_area_lists_its_rules(area: str) -> None:
    expected = [rule for rule in RULES["rules"] if rule["id"].startswith("LLQ-DEQ-")]
    assert len(expected) > 5
    result = llq("explain", area)
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines() if "LLQ-DEQ-" in line[:12]] == [
        rule["id"] for rule in expected
    ]
    assert all(rule["sentence"] in result.stdout for rule in expected)
    value = json.loads(llq("explain", area, "--json").stdout)
    assert [entry["id"] for entry in value] == [rule["id"] for rule in expected]


def test_every_area_can_be_listed_and_an_unknown_one_lists_them() -> None:
    areas = {rule["id"].split("-")[1] for rule in RULES["rules"]}
    for area in areas:
        assert isinstance(json.loads(llq("explain", area, "--json").stdout), list)
    result = llq("explain", "zz")
    assert result.exit_code == 2
    message = " ".join(result.stderr.split())
    assert all(area in message for area in areas)
