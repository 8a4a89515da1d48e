"""The end of the context: DEC-22 and GEN-2 in the reference decoder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import llq_format
from llq_format.metadata.model import ContextError
from llq_format.reference import Decoder
from llq_format.reference.generation import generate
from tests.support.sample_packages import MODEL, write_model

CONTEXT = MODEL.context_length


@pytest.fixture
def decoder(tmp_path: Path) -> Iterator[Decoder]:
    write_model(tmp_path / "model")
    with llq_format.open(tmp_path / "model") as package:
        yield Decoder(package)


def test_a_sequence_fills_the_context_and_then_refuses_tokens(decoder: Decoder) -> None:
    sequence = decoder.start()
    assert decoder.forward([1] * CONTEXT, sequence).shape == (CONTEXT, MODEL.vocab_size)
    with pytest.raises(ContextError, match=f"{CONTEXT + 1} positions do not fit into a context of {CONTEXT}"):
        decoder.forward([1], sequence)


@pytest.mark.parametrize(("prompt_tokens", "tokens"), [(CONTEXT - 2, 3), (CONTEXT, 1)])
def test_generation_ends_after_the_token_that_follows_a_full_context(
    decoder: Decoder, prompt_tokens: int, tokens: int
) -> None:
    assert len(list(generate(decoder, [1] * prompt_tokens, 20))) == tokens


@pytest.mark.parametrize("max_tokens", [0, 20])
def test_a_prompt_that_exceeds_the_context_is_refused(decoder: Decoder, max_tokens: int) -> None:
    with pytest.raises(ContextError):
        list(generate(decoder, [1] * (CONTEXT + 1), max_tokens))
