"""Choice of tokens by the reference: greedy, and section Sampled choice of chapter Execution program."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from llq_format.reference.generation import Sampling, choose
from llq_format.reference.sampling import philox, uniform
from tests.support.repository import SPEC

CHAPTER = (SPEC / "program.md").read_text(encoding="utf-8")
MASK = 0xFFFFFFFF


def by_the_letter(logits: Sequence[float], sampling: Sampling, u: Fraction) -> int:
    """Return the result of the six steps, one after another, for a random number."""
    ranked = sorted(range(len(logits)), key=lambda i: (-logits[i], i))
    ranked = ranked[: sampling.top_k or len(ranked)]
    greatest = logits[ranked[0]]
    w = {i: Fraction(math.exp((logits[i] - greatest) / sampling.temperature)) for i in ranked}
    if sampling.top_p < 1:
        goal, total, count = Fraction(sampling.top_p) * sum(w.values()), Fraction(0), 0
        while count == 0 or total < goal:
            total += w[ranked[count]]
            count += 1
        ranked = ranked[:count]
    aim, total = u * sum(w[i] for i in ranked), Fraction(0)
    for i in sorted(ranked):
        total += w[i]
        if total > aim:
            return i
    return max(ranked)


def test_greedy_takes_the_lowest_id_among_equals() -> None:
    logits = np.array([0.0, 2.0, 2.0])
    assert choose(logits, Sampling(), 0) == 1
    assert choose(logits, Sampling(2.0**-61, seed=5), 3) == 1


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        (0, 0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ],
)
def test_philox_gives_the_published_words(counter: int, key: int, words: tuple[int, ...]) -> None:
    """Random123's known answers (kat_vectors, philox4x32 10)."""
    assert philox(counter, key) == words


def test_random_numbers_are_those_of_numpy_free_arithmetic() -> None:
    for seed, position in ((0, 0), (7, 5), (2**64 - 1, 2**31), (0x0123456789ABCDEF, 12)):
        words, key = [position, 0, 0, 0], [seed & MASK, seed >> 32]
        for _ in range(10):
            a, b = words[0] * 0xD2511F53, words[2] * 0xCD9E8D57
            words = [(b >> 32) ^ words[1] ^ key[0], b & MASK, (a >> 32) ^ words[3] ^ key[1], a & MASK]
            key = [(key[0] + 0x9E3779B9) & MASK, (key[1] + 0xBB67AE85) & MASK]
        assert uniform(seed, position) == (words[0] >> 8) / 2**24


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("top_k", [None, 1, 3, 100])
@pytest.mark.parametrize("top_p", [1.0, 0.5, 0.125, 0.0])
def test_the_steps_are_those_of_the_chapter(temperature: float, top_k: int | None, top_p: float) -> None:
    rng = np.random.default_rng(3)
    for seed in range(40):
        logits = rng.choice([-2.0, -0.5, 0.0, 0.25, 1.0, 2.5], 9)  # equal ones among them
        sampling = Sampling(temperature, top_k, top_p, seed)
        u = Fraction(uniform(seed, 11))
        assert choose(logits, sampling, 11) == by_the_letter(logits.tolist(), sampling, u)


def test_sampling_follows_the_probabilities() -> None:
    logits = np.log([0.5, 0.3, 0.15, 0.05])
    counts = Counter(choose(logits, Sampling(1.0, seed=9), position) for position in range(4000))
    assert all(abs(counts[i] / 4000 - p) < 0.03 for i, p in enumerate([0.5, 0.3, 0.15, 0.05]))
    assert {choose(logits, Sampling(1.0, top_k=2), i) for i in range(200)} == {0, 1}
    assert {choose(logits, Sampling(1.0, top_p=0.75), i) for i in range(200)} == {0, 1}
    assert {choose(logits, Sampling(1.0, top_p=0.0), i) for i in range(50)} == {0}


def test_position_and_seed_alone_decide() -> None:
    logits = np.zeros(1000)
    drawn = [choose(logits, Sampling(1.0, seed=1), position) for position in range(20)]
    assert drawn == [choose(logits, Sampling(1.0, seed=1), position) for position in range(20)]
    assert drawn != [choose(logits, Sampling(1.0, seed=2), position) for position in range(20)]
    assert choose(logits, Sampling(1.0, seed=1), 0) != choose(logits, Sampling(1.0, seed=1 + (1 << 32)), 0)


@pytest.mark.parametrize("top_k", [10, 11, 2**32 - 1, 2**32, 2**32 + 1, 2**53 - 1])
@pytest.mark.parametrize("seed", [0, 2**32, 2**53 + 1, 2**64 - 1])
def test_every_top_k_and_every_seed_is_accepted(top_k: int, seed: int) -> None:
    logits = np.arange(10.0)
    everything = choose(logits, Sampling(5.0, None, seed=seed), 3)
    assert choose(logits, Sampling(5.0, top_k, seed=seed), 3) == everything


def examples() -> list[Any]:
    """Return the rows of the chapter's table of examples."""
    section = CHAPTER.split("## Sampled choice")[1]
    return re.findall(
        r"^\| ([\d.]+) \| (\d+) \| ([\d.]+) \| (\d+) \| (\d+) \| `([0-9A-F]{8})` \| ([\d.]+) \| (\d) \|$",
        section,
        re.MULTILINE,
    )


def test_the_examples_of_the_chapter_are_what_the_reference_chooses() -> None:
    logits = np.array([1.0, 3.0, 2.0, 3.0, -1.0, 0.5])
    assert "1, 3, 2, 3, −1, 0.5" in CHAPTER
    rows = examples()
    assert len(rows) >= 6
    for temperature, top_k, top_p, seed, position, word, u, token in rows:
        sampling = Sampling(float(temperature), int(top_k), float(top_p), int(seed))
        assert f"{philox(int(position), sampling.seed)[0]:08X}" == word
        assert f"{uniform(sampling.seed, int(position)):.6f}" == u
        assert choose(logits, sampling, int(position)) == int(token)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": 1e39},
        {"top_p": 1e39},
        {"top_p": float("inf")},
        {"top_p": -0.1},
        {"top_k": -1},
    ],
)
def test_what_is_negative_or_not_finite_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Sampling(**options)  # type: ignore[arg-type]  # values of both types
