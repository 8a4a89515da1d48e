"""Tokenize: from a prompt to ids, and from ids to text."""

from __future__ import annotations

from typing import Any

from vectors.kit.computed import computed
from vectors.kit.tokenizer import Bpe, Tokenize

Json = Any
E_ACUTE = "é".encode()
SUN = "日".encode()
BPE = Bpe(
    merges=(
        (b"h", b"e"),
        (b"l", b"l"),
        (b"l", b"o"),
        (b"he", b"ll"),
        (b" ", b"w"),
        (b"hell", b"o"),
        (b"o", b"r"),
        (b" w", b"or"),
        (E_ACUTE[:1], E_ACUTE[1:]),
        (SUN[:1], SUN[1:2]),
        (SUN[:2], SUN[2:]),
        (b"\n", b"\n"),
    ),
    special=("<|begin|>", "<|im_start|>", "<|im_end|>"),
)
BEGIN, START, END = BPE.special
TEXTS = {
    "words": "hello world",
    "capital letters": "Hello WORLD",
    "merges that compete": "lllo hehello lo",
    "characters of two bytes and three": "é日本 naïve",
    "an emoji": "a🦙b",
    "combining characters": "e\u0301 é",
    "white space": "  hello\n\n\tworld ",
    "special tokens": f"{START}user\nhello{END}\n{START}assistant\n",
    "special tokens side by side": f"{END}{END}{START}",
    "a special token cut short": "<|im_start|hello<|im_end",
    "the text of BOS in the middle": f"hello{BEGIN}world",
    "nothing": "",
}


@computed("tokenize", "LLQ-TOK-1", cases=TEXTS)
def prompt_of(text: str) -> Tokenize:
    """A prompt of {}: bos_token_id MUST be put in front once, although the post-processor would add it."""
    return Tokenize(BPE, text, BEGIN)


BEGINNINGS = {"once": f"{BEGIN}hello", "twice": f"{BEGIN}{BEGIN}hello", "and ends": BEGIN}


@computed("tokenize", "LLQ-TOK-1", cases=BEGINNINGS)
def prompt_begins_with_bos(text: str) -> Tokenize:
    """The prompt begins with the text of BOS ({}): a second BOS MUST NOT be put in front."""
    return Tokenize(BPE, text, BEGIN)


@computed("tokenize", "LLQ-TOK-1", cases={"words": "hello world", "nothing": "", "BOS": f"{BEGIN}hello"})
def prompt_without_bos(text: str) -> Tokenize:
    """bos_token_id is null: {} MUST be encoded without what the post-processor would add."""
    return Tokenize(BPE, text, None)


@computed("tokenize", "LLQ-TOK-1")
def prompt_of_a_tokenizer_without_final_line_feed() -> Tokenize:
    """The last byte of tokenizer.json is a bracket, which MUST be read too."""
    return Tokenize(BPE, "hello world", BEGIN, end=b"")


PADDING: dict[str, Json] = {
    "strategy": {"Fixed": 9},
    "direction": "Right",
    "pad_to_multiple_of": None,
    "pad_id": 256,
    "pad_type_id": 0,
    "pad_token": "he",
}
LENGTHS: dict[str, dict[str, Json]] = {
    "padding": {"padding": PADDING},
    "padding to ten thousand million tokens": {"padding": PADDING | {"strategy": {"Fixed": 10**10}}},
    "truncation": {
        "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    },
}


@computed("tokenize", "LLQ-TOK-1", cases=LENGTHS)
def prompt_of_a_tokenizer_with(members: dict[str, Json]) -> Tokenize:
    """Tokenizer.json states {}: it MUST have no effect on the ids."""
    return Tokenize(BPE, "hello world", BEGIN, members=members)


CAPITALS = Bpe(merges=tuple((left.upper(), right.upper()) for left, right in BPE.merges), special=BPE.special)
OTHERS = {"the ids of hello world": "HELLO WORld", "the text hello world": "hello world"}


@computed("tokenize", "LLQ-TOK-1", cases=OTHERS)
def prompt_of_another_tokenizer(text: str) -> Tokenize:
    """Another tokenizer is asked about {}: each package MUST be read with its own tokenizer."""
    return Tokenize(CAPITALS, text, BEGIN)


@computed("tokenize", "LLQ-TOK-1")
def prompt_with_another_bos() -> Tokenize:
    """bos_token_id names another token than the post-processor would add."""
    return Tokenize(BPE, f"{BEGIN}hello", START)


CHARACTERS = {
    "CR LF and CR": "hello\r\nworld\r\r\n\rlo\r",
    "NUL": "he\0llo\0\0 world\0",
    "control characters": "\x01he\x1b[0mllo\x7f \x85world\v\f\x1f",
    "zero-width characters": "he\u200bllo\u200d\u2060 w\u00adorld\u200e",
    "a byte order mark": "\ufeffhello\ufeff world",
    "spaces of other kinds": "hello\u00a0world\u2003lo\u3000\u2028\u2029lo",
    "spaces before punctuation": "hello , world ! lo 's do n't ? i 'm . we 've  he 're .",
    "characters outside Unicode's first plane": "\U0001d54f\U0001f1e9\U0001f1ea\U00020000",
}


@computed("tokenize", "LLQ-TOK-1", cases=CHARACTERS)
def prompt_with(text: str) -> Tokenize:
    """A prompt with {}: none is changed or left out, on the way to ids or back."""
    return Tokenize(BPE, text, BEGIN)


LONG = {"90": "hello wor" * 45, "700": "xyz, " * 140}


@computed("tokenize", "LLQ-TOK-1", cases=LONG)
def long_prompt(text: str) -> Tokenize:
    """A prompt of {} tokens after BOS, which all count."""
    return Tokenize(BPE, text, BEGIN)


@computed(
    "tokenize", "LLQ-TOK-1", cases={"words": "hello world", "an end token": f"hello{END}", "nothing": ""}
)
def prompt_with_end_tokens(text: str) -> Tokenize:
    """The package names end tokens, and the prompt is {}: none MUST be put after it."""
    return Tokenize(BPE, text, BEGIN, (END, START))
