"""The example of masks for a JSON Schema: random logits give instances alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from examples.python.json_schema_mask import JsonSchemaMask
from llq_format.reference.adjusting import Adjustment, choose_adjusted
from llq_format.reference.sampling import Sampling
from tests.support.repository import VECTORS

pytest.importorskip("llguidance")
tokenizers = pytest.importorskip("tokenizers")

SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["a", "bc"]}},
    "required": ["ok", "kind"],
    "additionalProperties": False,
}
PACKAGE = VECTORS / "api" / "package"


def tokenizer_file() -> tuple[Path, int, list[int]]:
    """Return a tokenizer.json, the size of its vocabulary, and its end tokens."""
    entry = json.loads((PACKAGE / "metadata.json").read_text(encoding="utf-8"))
    return (
        PACKAGE / entry["tokenizer"]["file"],
        entry["model"]["vocab_size"],
        entry["tokenizer"]["eos_token_ids"],
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_random_logits_give_an_instance_of_the_schema(seed: int) -> None:
    file, vocab_size, ends = tokenizer_file()
    mask, rng = JsonSchemaMask(file, SCHEMA, vocab_size, ends), np.random.default_rng(seed)
    output: list[int] = []
    for position in range(400):
        logits, allowed = rng.standard_normal(vocab_size), mask(output)
        sampling = Sampling(1.0, seed=seed)
        token = choose_adjusted(logits, sampling, Adjustment(), position, sequence=(0, *output), mask=allowed)
        if token in ends:
            break
        output.append(token)
    text = tokenizers.Tokenizer.from_file(str(file)).decode(output)
    answer = json.loads(text)
    assert set(answer) == {"ok", "kind"}
    assert answer["kind"] in ("a", "bc")
    assert isinstance(answer["ok"], bool)


def test_a_schema_that_the_library_refuses_is_an_error() -> None:
    file, vocab_size, ends = tokenizer_file()
    with pytest.raises(ValueError, match="nothing"):
        JsonSchemaMask(file, {"type": "nothing"}, vocab_size, ends)
