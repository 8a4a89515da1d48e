"""The kit's reader: it names the first error of every vector."""

import json
from pathlib import Path

import pytest

from tests.fuzzing.package import load
from tests.support.repository import ROOT
from vectors.kit.reading.first_error import first_error, first_errors

DATA = ROOT / "vectors" / "data"
VECTORS = {
    vector["id"]: vector
    for vector in json.loads((DATA / "index.json").read_text(encoding="utf-8"))["vectors"]
    if vector["kind"] in ("valid", "invalid") and not vector.get("setup")
}


def directory(place: Path) -> dict[str, bytes | None]:
    """Return the entries of a directory, as the reader takes them."""
    return {name: entry if isinstance(entry, bytes) else None for name, entry in load(place).items()}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_the_first_error_of_a_vector_is_the_one_that_it_states(vector: dict[str, str]) -> None:
    place = DATA / vector["kind"] / vector["id"] / "package"
    if not place.is_dir():
        pytest.fail(f"{place} is missing")
    expected = vector["rules"][0] if vector["kind"] == "invalid" else None
    assert first_error(directory(place)) == expected


def test_all_rules_of_the_first_stage_with_errors_are_named() -> None:
    assert first_errors({"metadata.json": b'{"version":2,"a":1}'}) == {"META-1", "META-2", "META-3"}
