"""`llq validate`: findings in words and as JSON, and exit statuses."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from llq_format.cli.finding_list import MOST_FINDINGS, print_findings
from llq_format.metadata.findings import Finding, Place
from tests.support import tampering
from tests.support.command_line import WORKED_EXAMPLE, llq, on_terminal, tiny
from tests.support.repository import ROOT, VECTORS

SCHEMA = json.loads((ROOT / "spec" / "schema" / "findings.schema.json").read_text(encoding="utf-8"))
INDEX = json.loads((VECTORS / "index.json").read_text(encoding="utf-8"))["vectors"]
PLAIN = [vector for vector in INDEX if vector["kind"] == "invalid" and not vector["setup"]]


def as_json(*paths: Path) -> tuple[int, list[dict[str, Any]]]:
    result = llq("validate", "--json", *paths)
    value: list[dict[str, Any]] = json.loads(result.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    return result.exit_code, value


def test_a_valid_package_exits_0_with_one_line() -> None:
    result = llq("validate", WORKED_EXAMPLE / "package")
    assert result.exit_code == 0
    assert result.stdout == f"{WORKED_EXAMPLE / 'package'}: valid\n"
    assert result.stderr == ""


def test_a_warning_is_shown_and_leaves_the_package_valid(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    result = llq("validate", package)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "warning LLQ-PKG-10 (tokenizer-missing) at metadata.json#",
        "  found     no tokenizer",
        "  expected  a member 'tokenizer'",
        "  remedy    Add tokenizer.json, or document where the tokens come from.",
        f"{package}: valid, 1 warning",
    ]


def test_an_error_names_rule_place_found_expected_and_remedy(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    tampering.overwrite(package, 0, 20, b"\x07")
    result = llq("validate", package)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[-5:-1] == [
        "error LLQ-SHARD-6 (preamble-reserved-not-zero) at tiny-00001-of-00001.llq at byte 20",
        "  found     byte 07",
        "  expected  00",
        "  remedy    Write zeros.",
    ]
    assert lines[-1] == f"{package}: invalid, 1 error, 1 warning"


def test_several_paths_each_get_a_verdict_and_one_bad_one_decides(tmp_path: Path) -> None:
    good, missing = WORKED_EXAMPLE / "package", tmp_path / "missing"
    result = llq("validate", good, missing)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines[0] == f"{missing}: error LLQ-PKG-1 (directory-missing) at metadata.json"
    assert lines[-2:] == [f"{good}: valid", f"{missing}: invalid, 1 error"]


def test_json_follows_the_schema(tmp_path: Path) -> None:
    status, value = as_json(WORKED_EXAMPLE / "package", tmp_path / "missing")
    assert status == 1
    assert [entry["valid"] for entry in value] == [True, False]
    assert value[0]["findings"] == []
    finding = value[1]["findings"][0]
    assert (finding["rule"], finding["severity"]) == ("LLQ-PKG-1", "error")
    assert finding["where"] == {"file": "metadata.json"}
    assert (finding["code"], finding["values"]) == ("directory-missing", {})


def test_json_has_the_values_that_the_texts_contain(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    tampering.overwrite(package, 0, 12, b"\x07")
    (finding,) = (f for f in as_json(package)[1][0]["findings"] if f["code"] == "shard-index-wrong")
    assert finding["rule"] == "LLQ-SHARD-4"
    assert finding["values"] == {"shard_index": 7, "expected": 0}
    assert (finding["found"], finding["expected"]) == ("shard_index 7", "0")


@pytest.mark.parametrize("vector", PLAIN[::25], ids=lambda vector: str(vector["id"]))
def test_json_of_invalid_vectors_names_their_rule(vector: dict[str, Any]) -> None:
    status, value = as_json(VECTORS / vector["path"])
    assert status == 1
    assert value[0]["findings"][0]["rule"] in vector["rules"]


def test_there_are_vectors_to_sample() -> None:
    assert len(PLAIN) > 100


def test_no_path_is_misuse() -> None:
    result = llq("validate")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Missing argument" in result.stderr


def test_a_path_that_a_terminal_would_obey_is_escaped(tmp_path: Path) -> None:
    result = llq("validate", tmp_path / "\x1b[31mred\u202e")
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert r"\x1b[31mred\u202e: invalid" in result.stdout


def test_on_a_terminal_there_is_colour_and_a_bar_and_lines_fit(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    tampering.overwrite(package, 0, 20, b"\x07", rehash=False)
    status, text, plain = on_terminal("validate", package)
    assert status == 1
    assert "\x1b[1;31m" in text
    assert "━" in plain
    assert max(map(len, plain.split("error", 1)[1].splitlines()[:-1])) <= 80


def with_strays(tmp_path: Path, strays: int) -> Path:
    """Write a package next to whose shards there are empty files of the same kind."""
    package = tiny(tmp_path)
    for number in range(strays):
        (package / f"stray-{number:03}.llq").touch()
    return package


def test_identical_findings_are_folded_and_counted(tmp_path: Path) -> None:
    package = with_strays(tmp_path, 500)
    everything = as_json(package)[1][0]
    assert sum(finding["code"] == "stray-shard" for finding in everything["findings"]) == 500
    assert "omitted" not in everything
    result = llq("validate", package)
    assert result.exit_code == 1
    assert len(result.stdout) < 2000
    assert result.stdout.count("(stray-shard) at ") == 1
    assert "  identical at 499 other places  stray-001.llq, stray-002.llq, " in result.stdout
    assert "stray-008.llq and 491 more\n" in result.stdout
    assert result.stdout.splitlines()[-1] == f"{package}: invalid, 500 errors, 1 warning"


def test_forty_thousand_findings_are_a_short_text() -> None:
    """Findings that differ in more than their place are limited, and the others are counted by rule."""
    places = [Place(file="model-00001-of-00001.llq", offset=256 * n) for n in range(40_000)]
    alike = [Finding("preamble-reserved-not-zero", place, {"byte": "07"}) for place in places]
    differing = [
        Finding("shard-index-wrong", place, {"shard_index": n, "expected": 0})
        for n, place in enumerate(places, 1)
    ]
    console = Console(file=StringIO(), width=1_000_000)
    print_findings(console, [*alike, *differing], "", MOST_FINDINGS)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert len(text) < 40_000
    assert text.count("error ") == MOST_FINDINGS
    assert "  identical at 39,999 other places  " in text
    assert text.splitlines()[-1] == (
        f"39,901 findings omitted (--max-findings {MOST_FINDINGS}): 39,901 × LLQ-SHARD-4 (shard-index-wrong)"
    )


def test_the_number_of_findings_can_be_limited(tmp_path: Path) -> None:
    package = with_strays(tmp_path, 3)
    tampering.overwrite(package, 0, 20, b"\x07")
    tampering.overwrite(package, 0, 12, b"\x07")
    count = len(as_json(package)[1][0]["findings"])
    assert count == 6
    result = llq("validate", package, "--max-findings", "1")
    assert result.stdout.count(" LLQ-") == 1 + 3
    assert "3 findings omitted (--max-findings 1): " in result.stdout
    assert result.stdout.splitlines()[-1] == f"{package}: invalid, 5 errors, 1 warning"
    value = json.loads(llq("validate", package, "--max-findings", "2", "--json").stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(value)
    assert (len(value[0]["findings"]), value[0]["omitted"]) == (2, count - 2)
