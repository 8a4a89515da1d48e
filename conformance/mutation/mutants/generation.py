"""Mutants of the choice of tokens and the end of generation (GEN-1, GEN-2)."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from llq_format.reference import generation
from llq_format.reference.activations import Array
from llq_format.reference.forward import Decoder

from ...runtimes import reference
from .mutant import mutant
from .seam import Seam

Generate = Callable[..., Iterator[int]]
MAX_CONTEXT = 2**31 - 1


def _choose(seam: Seam, choose: Callable[[Array], int]) -> None:
    """Choose from logits, [vocab_size], in another way."""
    seam.wrap(generation, "choose", lambda _: lambda logits, *_rest: choose(logits))


@mutant("last of equal logits", "GEN-1", "generate")
def argmax_last_of_equals(seam: Seam) -> None:
    _choose(seam, lambda logits: len(logits) - 1 - int(logits[::-1].argmax()))


@mutant("the smallest logit", "GEN-1", "generate")
def argmin(seam: Seam) -> None:
    _choose(seam, lambda logits: int(logits.argmin()))


@mutant("the second largest logit", "GEN-1", "generate")
def argmax_second(seam: Seam) -> None:
    _choose(seam, lambda logits: int(np.argsort(-logits, kind="stable")[1]))


@mutant("the logit with the largest magnitude", "GEN-1", "generate")
def argmax_by_magnitude(seam: Seam) -> None:
    _choose(seam, lambda logits: int(np.abs(logits).argmax()))


@mutant(
    "sampling at temperature 1 though greedy was asked for", "GEN-1", "generate", unnamed="draws at random"
)
def temperature_0_samples(seam: Seam) -> None:
    random = np.random.default_rng(4)

    def draw(logits: Array) -> int:
        return int(np.argmax(logits + random.gumbel(size=len(logits))))

    _choose(seam, draw)


@mutant("the first token chosen from the logits of the first position", "GEN-1", "generate")
def first_token_of_first_position(seam: Seam) -> None:
    def mutate(_generate: Generate) -> Generate:
        def generate(decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]) -> Iterator[int]:
            sequence = decoder.start()
            row = decoder.forward(prompt, sequence)[0]
            for _ in range(most):
                token = int(row.argmax())
                if token in ends:
                    return
                yield token
                row = decoder.forward([token], sequence)[-1]

        return generate

    seam.wrap(reference, "generate", mutate)


def _generate(seam: Seam, generate: Callable[..., Iterator[int]]) -> None:
    """Generate in another way: from the right one, decoder, prompt, max_tokens and end tokens."""

    def mutate(original: Generate) -> Generate:
        return lambda decoder, prompt, most, ends: generate(original, decoder, prompt, most, ends)

    seam.wrap(reference, "generate", mutate)


@mutant("end token emitted", "GEN-2", "generate")
def eos_emitted(seam: Seam) -> None:
    def emits(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        for token in original(decoder, prompt, most, ()):
            yield token
            if token in ends:
                return

    _generate(seam, emits)


@mutant("end token ignored", "GEN-2", "generate")
def eos_ignored(seam: Seam) -> None:
    _generate(seam, lambda original, decoder, prompt, most, _: original(decoder, prompt, most, ()))


@mutant("end token left out, and generation continued", "GEN-2", "generate")
def eos_skipped(seam: Seam) -> None:
    def skips(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        return (token for token in original(decoder, prompt, most, ()) if token not in ends)

    _generate(seam, skips)


@mutant("only the first end token known", "GEN-2", "generate")
def eos_first_only(seam: Seam) -> None:
    _generate(seam, lambda original, decoder, prompt, most, ends: original(decoder, prompt, most, ends[:1]))


@mutant("only the last end token known", "GEN-2", "generate")
def eos_last_only(seam: Seam) -> None:
    _generate(seam, lambda original, decoder, prompt, most, ends: original(decoder, prompt, most, ends[-1:]))


@mutant("end token 0 taken for none", "GEN-2", "generate")
def eos_0_overlooked(seam: Seam) -> None:
    def truthy(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        tokens: Iterator[int] = original(decoder, prompt, most, tuple(end for end in ends if end))
        return tokens

    _generate(seam, truthy)


@mutant("an end token in the prompt ends generation", "GEN-2", "generate")
def eos_in_prompt_ends(seam: Seam) -> None:
    def ends_early(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        return iter(()) if set(prompt) & set(ends) else original(decoder, prompt, most, ends)

    _generate(seam, ends_early)


@mutant("generation past the end of the context", "GEN-2", "generate")
def context_ignored(seam: Seam) -> None:
    def boundless(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        decoder.model = replace(decoder.model, context_length=MAX_CONTEXT)
        tokens: Iterator[int] = original(decoder, prompt, most, ends)
        return tokens

    _generate(seam, boundless)


@mutant("no token after a full context", "GEN-2", "generate")
def context_minus_1(seam: Seam) -> None:
    def shorter(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        room = decoder.model.context_length - len(prompt)
        tokens: Iterator[int] = original(decoder, prompt, min(most, max(room, 0)), ends)
        return tokens

    _generate(seam, shorter)


@mutant("a prompt cut to the context", "DEC-22", "generate")
def prompt_cut_to_context(seam: Seam) -> None:
    def cut(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        tokens: Iterator[int] = original(decoder, prompt[-decoder.model.context_length :], most, ends)
        return tokens

    _generate(seam, cut)


@mutant("logits past the end of the context", "DEC-22")
def logits_past_context(seam: Seam) -> None:
    seam.replace(Decoder, "check_positions", lambda _self, _count: None)


@mutant("one token more than max_tokens", "GEN-2", "generate")
def max_tokens_plus_1(seam: Seam) -> None:
    _generate(seam, lambda original, decoder, prompt, most, ends: original(decoder, prompt, most + 1, ends))


@mutant("one token fewer than max_tokens", "GEN-2", "generate")
def max_tokens_minus_1(seam: Seam) -> None:
    _generate(seam, lambda original, decoder, prompt, most, ends: original(decoder, prompt, most - 1, ends))


@mutant("max_tokens counts the prompt", "GEN-2", "generate")
def max_tokens_counts_prompt(seam: Seam) -> None:
    _generate(
        seam,
        lambda original, decoder, prompt, most, ends: original(decoder, prompt, most - len(prompt), ends),
    )


@mutant("the prompt in front of what is generated", "GEN-2", "generate")
def prompt_echoed(seam: Seam) -> None:
    def echoed(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        yield from prompt
        yield from original(decoder, prompt, most, ends)

    _generate(seam, echoed)


@mutant("the last token of the prompt not computed", "GEN-1", "generate")
def last_prompt_token_lost(seam: Seam) -> None:
    _generate(
        seam,
        lambda original, decoder, prompt, most, ends: original(decoder, prompt[:-1] or prompt, most, ends),
    )


@mutant("the last token of the prompt computed twice", "GEN-1", "generate")
def last_prompt_token_twice(seam: Seam) -> None:
    _generate(
        seam,
        lambda original, decoder, prompt, most, ends: original(decoder, [*prompt, prompt[-1]], most, ends),
    )


@mutant("token 0 put in front of the prompt", "GEN-1", "generate")
def generation_begins_with_token_0(seam: Seam) -> None:
    _generate(seam, lambda original, decoder, prompt, most, ends: original(decoder, [0, *prompt], most, ends))


@mutant("the last token of the vocabulary never chosen", "GEN-1", "generate")
def last_token_never_chosen(seam: Seam) -> None:
    _choose(seam, lambda logits: int(logits[:-1].argmax()))


@mutant("the first token of the vocabulary never chosen", "GEN-1", "generate")
def first_token_never_chosen(seam: Seam) -> None:
    _choose(seam, lambda logits: 1 + int(logits[1:].argmax()))


@mutant("the largest of logits in binary16", "ACT-9", "generate")
def argmax_in_binary16(seam: Seam) -> None:
    _choose(seam, lambda logits: int(logits.astype(np.float16).argmax()))


@mutant("the largest of logits in bfloat16", "ACT-9", "generate")
def argmax_in_bfloat16(seam: Seam) -> None:
    def argmax(logits: Array) -> int:
        bits = logits.astype(np.float32).view(np.uint32)
        return int((bits + (0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).view(np.float32).argmax())

    _choose(seam, argmax)


def _capped(seam: Seam, limit: int) -> None:
    _generate(
        seam,
        lambda original, decoder, prompt, most, ends: original(decoder, prompt, min(most, limit), ends),
    )


@mutant("at most 32 tokens, whatever max_tokens is", "GEN-2", "generate")
def max_tokens_capped_at_32(seam: Seam) -> None:
    _capped(seam, 32)


@mutant("at most 128 tokens, whatever max_tokens is", "GEN-2", "generate")
def max_tokens_capped_at_128(seam: Seam) -> None:
    _capped(seam, 128)


@mutant("at most 256 tokens, whatever max_tokens is", "GEN-2", "generate")
def max_tokens_capped_at_256(seam: Seam) -> None:
    _capped(seam, 256)


@mutant("context_length modulo 256", "GEN-2", "generate")
def context_of_8_bits(seam: Seam) -> None:
    def short(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        decoder.model = replace(decoder.model, context_length=decoder.model.context_length % 256)
        tokens: Iterator[int] = original(decoder, prompt, most, ends)
        return tokens

    _generate(seam, short)


@mutant("end tokens modulo 65536", "GEN-2", "generate")
def eos_of_16_bits(seam: Seam) -> None:
    def ends_of_16_bits(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        tokens: Iterator[int] = original(decoder, prompt, most, tuple(end & 0xFFFF for end in ends))
        return tokens

    _generate(seam, ends_of_16_bits)


@mutant("KV cache kept from answer to answer", "DEC-17", "generate")
def cache_kept_between_answers(seam: Seam) -> None:
    def kept(
        original: Any, decoder: Any, prompt: list[int], most: int, ends: tuple[int, ...]
    ) -> Iterator[int]:
        key = str(decoder._package.directory)  # noqa: SLF001 - a seam
        sequence = seam.memory.setdefault(key, decoder.start())
        decoder.start = lambda: sequence
        tokens: Iterator[int] = original(decoder, prompt, most, ends)
        return tokens

    _generate(seam, kept)
