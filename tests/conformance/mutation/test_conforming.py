"""No check fails a conforming variant."""

from pathlib import Path

import pytest

from conformance.checks import CHECKS
from conformance.core.check import Outcome
from conformance.core.vectors import load
from conformance.diagnosis import recognition
from conformance.mutation.conforming import CONFORMING, UnknownVariantError, runtime
from conformance.runtimes.in_process import InProcessRuntime
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

CHANGED = {
    "first-error-alone": ("accept", "refuse"),
    "talkative-validator": ("accept", "refuse"),
    "blocks-backwards": ("decode", "withhold"),
    "products-apart": ("decode", "withhold"),
}
"""The checks that a conforming variant answers in its own way, where these are not the computed ones."""
COMPUTED = ("activations", "matvec", "logits", "trace", "generate")
SLOW = "many-empty-tensors"


def test_there_are_many() -> None:
    assert len(CONFORMING) >= 20
    assert set(CHANGED) <= set(CONFORMING)


@pytest.mark.parametrize("name", CONFORMING)
def test_a_conforming_variant_passes(name: str, tmp_path: Path) -> None:
    subject = InProcessRuntime(runtime(name), seconds(60))
    changed = CHANGED.get(name, COMPUTED)
    checks = [c for c in CHECKS if c.name in changed and set(c.needs) <= subject.capabilities]
    assert checks
    with recognition.silent():
        results = [
            check(subject, vector, tmp_path / check.name)
            for check in checks
            for vector in load()
            if check.concerns(vector) and vector.id != SLOW
        ]
    assert [result.explanation for result in results if result.outcome is not Outcome.PASSED] == []


def test_an_unknown_variant_is_reported_with_similar_names() -> None:
    with pytest.raises(UnknownVariantError, match="did you mean token-by-token"):
        runtime("token-by-tokens")
