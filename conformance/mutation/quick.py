"""The quick set: few questions that catch every mutant, as `conformance.measurement.build` found them."""

import json
from pathlib import Path

CHOSEN = Path(__file__).parent / "quick.json"


def quick() -> frozenset[str]:
    """Return the questions of the quick set, `check-vector` each."""
    return frozenset(json.loads(CHOSEN.read_text(encoding="utf-8"))["quick"])
