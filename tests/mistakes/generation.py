"""Mistakes in the choice of tokens, the end of generation, and text (GEN, TOK)."""

from collections.abc import Callable, Iterator
from typing import Any

from conformance import reference
from llq_format.reference import generation, text
from tests.mistakes.mistake import Patch, mistake


@mistake("last of equal logits", "LLQ-GEN-1", "generate")
def _(patch: Patch) -> None:
    patch.setattr(generation, "choose", lambda logits, *_: len(logits) - 1 - int(logits[::-1].argmax()))


def _generate(patch: Patch, wrong: Callable[..., Iterator[int]]) -> None:
    patch.setattr(reference, "generate", wrong)


_generated = generation.generate


@mistake("end token emitted", "LLQ-GEN-2", "generate")
def _(patch: Patch) -> None:
    def emits(decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]) -> Iterator[int]:
        for token in _generated(decoder, prompt, most):
            yield token
            if token in ends:
                return

    _generate(patch, emits)


@mistake("end token ignored", "LLQ-GEN-2", "generate")
def _(patch: Patch) -> None:
    _generate(patch, lambda decoder, prompt, most, _: _generated(decoder, prompt, most))


@mistake("only the first end token", "LLQ-GEN-2", "generate")
def _(patch: Patch) -> None:
    _generate(patch, lambda decoder, prompt, most, ends: _generated(decoder, prompt, most, ends[:1]))


@mistake("one token more than max_tokens", "LLQ-GEN-2", "generate")
def _(patch: Patch) -> None:
    _generate(patch, lambda decoder, prompt, most, ends: _generated(decoder, prompt, most + 1, ends))


@mistake("one token fewer than max_tokens", "LLQ-GEN-2", "generate")
def _(patch: Patch) -> None:
    _generate(patch, lambda decoder, prompt, most, ends: _generated(decoder, prompt, most - 1, ends))


@mistake("max_tokens counts the prompt", "LLQ-GEN-2", "generate")
def _(patch: Patch) -> None:
    _generate(
        patch, lambda decoder, prompt, most, ends: _generated(decoder, prompt, most - len(prompt), ends)
    )


_encode = text.TextTokenizer.encode


def _encoded(patch: Patch, wrong: Callable[[text.TextTokenizer, str], list[int]]) -> None:
    patch.setattr(text.TextTokenizer, "encode", wrong)


@mistake("BOS doubled", "LLQ-TOK-1", "tokenize")
def _(patch: Patch) -> None:
    def doubled(self: text.TextTokenizer, prompt: str) -> list[int]:
        ids = self._tokenizer.encode(prompt, add_special_tokens=False).ids
        bos = self.entry.bos_token_id
        return ids if bos is None else [bos, *ids]

    _encoded(patch, doubled)


@mistake("BOS left out", "LLQ-TOK-1", "tokenize")
def _(patch: Patch) -> None:
    _encoded(patch, lambda self, prompt: list(self._tokenizer.encode(prompt, add_special_tokens=False).ids))


@mistake("special tokens of the post-processor", "LLQ-TOK-1", "tokenize")
def _(patch: Patch) -> None:
    _encoded(patch, lambda self, prompt: list(self._tokenizer.encode(prompt).ids))


@mistake("special tokens decoded", "LLQ-TOK-1", "tokenize")
def _(patch: Patch) -> None:
    patch.setattr(
        text.TextTokenizer,
        "decode",
        lambda self, ids: self._tokenizer.decode(list(ids), skip_special_tokens=False),
    )


@mistake("prompt stripped of white space", "LLQ-TOK-1", "tokenize")
def _(patch: Patch) -> None:
    _encoded(patch, lambda self, prompt: _encode(self, prompt.strip()))
