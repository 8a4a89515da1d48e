"""Tokenizers within their limits: hostile ones are one error, and padding has no effect."""

import json
from typing import Any

import pytest

from llq_format.sandbox import process
from llq_format.sandbox.process import SANDBOX
from llq_format.sandbox.text_error import TextError
from llq_format.sandbox.tokenizer import BoundedTokenizer
from vectors.kit.tokenizer import plain_tokenizer


def changed(**members: Any) -> bytes:
    """Return a tokenizer.json with other members."""
    return json.dumps(json.loads(plain_tokenizer(300)) | members).encode()


def split(pattern: str) -> dict[str, Any]:
    """Return a pre-tokenizer that splits by a regular expression."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


def test_padding_and_truncation_have_no_effect() -> None:
    padding = {
        "strategy": {"Fixed": 10**10},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "x",
    }
    truncation = {"max_length": 1, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    tokenizer = BoundedTokenizer(changed(padding=padding, truncation=truncation))
    assert tokenizer.encode("abc") == BoundedTokenizer(changed()).encode("abc") != []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){25}$"])
def test_a_regular_expression_that_backtracks_ends(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = BoundedTokenizer(changed(pre_tokenizer=split(pattern)))
    monkeypatch.setattr(process, "CPU_SECONDS", 1.0)
    try:
        tokenizer.encode("a" * 5000 + "b")
    except TextError as error:
        assert error.code == "tokenizer"  # noqa: PT017  # its engine may give up by itself
    assert tokenizer.decode(tokenizer.encode("ab")) != ""


def test_an_endless_call_violates_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = BoundedTokenizer(changed())
    monkeypatch.setattr(process, "WALL_SECONDS", 1e-4)
    with pytest.raises(TextError) as caught:
        tokenizer.encode("a" * 100_000)
    assert (caught.value.code, caught.value.rule) == ("tokenizer", "LLQ-TOK-5")


def test_a_tokenizer_is_loaded_again_after_the_process_ended() -> None:
    tokenizer = BoundedTokenizer(changed())
    ids = tokenizer.encode("abc")
    SANDBOX.close()
    assert tokenizer.encode("abc") == ids


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"version":"1.0","model":{"type":"X"}}']
)
def test_what_the_library_refuses_is_one_error(data: bytes) -> None:
    with pytest.raises(TextError) as caught:
        BoundedTokenizer(data)
    assert caught.value.code == "tokenizer"
    assert "\n" not in str(caught.value)


def test_ids_that_the_library_cannot_take_are_one_error() -> None:
    with pytest.raises(TextError, match="the tokenizer fails"):
        BoundedTokenizer(changed()).decode([2**40])
