"""Mutants of the JavaScript runtime: their list, their results and their summary."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from conformance.measurement import javascript_mutants
from conformance.measurement.javascript_mutants import Verdict, legal, summary, verdicts

KILLED = Verdict("a.js | f | number | 1 => 2", "text", "number", "test/text/a.test.mjs", 1.5)
SURVIVOR = Verdict("a.js | f | boundary | a < b => a <= b", "text", "boundary", "", 2.5)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    assert verdicts(file) == {}
    file.write_text("".join(json.dumps(asdict(verdict)) + "\n" for verdict in (KILLED, SURVIVOR)), "utf-8")
    assert list(verdicts(file).values()) == [KILLED, SURVIVOR]


def test_a_survivor_without_a_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = list(summary([KILLED, SURVIVOR]))
    assert "text                     1 of     2 killed" in lines
    assert lines[-2:] == [
        "2 mutants, 1 survive, 0 of these are legal",
        f"survives: {SURVIVOR.id}",
    ]
    monkeypatch.setattr(javascript_mutants, "legal", lambda: {SURVIVOR.id: "a and b are never equal"})
    assert list(summary([KILLED, SURVIVOR]))[-1] == "2 mutants, 1 survive, 1 of these are legal"


@pytest.mark.browser
def test_each_mutant_has_an_id_and_a_place() -> None:
    mutants = javascript_mutants.mutants()
    ids = Counter(mutant["id"] for mutant in mutants)
    assert len(ids) == len(mutants) > 3000
    assert {mutant["area"] for mutant in mutants} == set(javascript_mutants.AREAS)
    assert all(mutant["start"] < mutant["end"] for mutant in mutants)
    assert set(legal()) <= set(ids)
