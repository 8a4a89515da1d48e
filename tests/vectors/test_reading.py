"""The kit's reader: it names the first error of every vector."""

from pathlib import Path

import pytest

from conformance.core.vectors import Vector
from conformance.core.vectors import load as load_vectors
from tests.fuzzing.package import load
from vectors.kit.reading.first_error import first_error, first_errors

VECTORS = [
    vector for vector in load_vectors() if vector.kind in ("valid", "invalid") and vector.recipe is None
]
LARGEST = 1 << 25  # bytes of a file that the reader gets whole; only sparse files are longer


@pytest.mark.slow
@pytest.mark.parametrize("vector", VECTORS, ids=[vector.id for vector in VECTORS])
def test_the_first_error_of_a_vector_is_the_one_that_it_states(vector: Vector, tmp_path: Path) -> None:
    package = vector.prepared(tmp_path)
    sizes = [path.lstat().st_size for path in package.iterdir()] if package.is_dir() else [0]
    if max(sizes, default=0) > LARGEST:
        assert vector.rules[0] in ("LLQ-PKG-2", "LLQ-PKG-8")
        return
    entries = load(package) if package.is_dir() else {}
    directory = {name: entry if isinstance(entry, bytes) else None for name, entry in entries.items()}
    expected = vector.rules[0] if vector.kind == "invalid" else None
    assert first_error(directory) == expected


def test_all_rules_of_the_first_stage_with_errors_are_named() -> None:
    assert first_errors({"metadata.json": b'{"version":2,"a":1}'}) == {"META-1", "META-2", "META-3"}
