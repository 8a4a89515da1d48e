"""sample against the exact sampler, and its frequencies against probabilities."""

import numpy as np
import pytest

from tests.support.webgpu.kernel_bench import VARIANT_NAMES, Array, run
from tests.support.webgpu.sampling import Sampling, legal, philox, sampled_weights

pytestmark = pytest.mark.gpu


def sample(
    logits: Array, settings: Sampling, position: int, variant: str = "portable", repeats: int = 1
) -> int:
    """Run the kernel for the token of a position and return it."""
    state = np.zeros(64, np.uint32)
    state[:4] = [position - 3, 3, 5, 9]
    tokens = np.full(4, 77, np.uint32)
    *_, state, tokens = run(
        "sample", [logits, settings.words, state, tokens], [logits.size], [1], variant, repeats=repeats
    )
    token = int(state[2])
    assert state[:4].tolist() == [position, 1, token, 10]
    assert tokens.tolist() == [token, 77, 77, 77]
    return token


def test_philox_has_its_published_values() -> None:
    word = 0xFFFFFFFF
    assert philox((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox((word,) * 4, (word,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    assert philox(pi, (0xA4093822, 0x299F31D0)) == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)


@pytest.mark.parametrize("variant", VARIANT_NAMES)
@pytest.mark.parametrize("vocab", [1, 2, 255, 1000, 32003])
@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_sample_is_the_exact_samplers_token(vocab: int, temperature: float, variant: str) -> None:
    rng = np.random.default_rng([vocab, int(temperature * 10)])
    certain = 0
    cases = [
        (0, 1.0),
        (1, 1.0),
        (7, 1.0),
        (40, 0.9),
        (0, 0.9),
        (0, 0.01),
        (vocab, 0.5),
        (vocab + 1, 0.0),
        (3, 0.999),
    ]
    for number, (top_k, top_p) in enumerate(cases):
        logits = (rng.standard_normal(vocab) * 3).astype(np.float32)
        if number % 2:
            logits = np.round(logits)  # many ties
        settings = Sampling(temperature, top_k, top_p, int(rng.integers(0, 2**63)))
        position = int(rng.integers(3, 100000))
        may = legal(logits, settings, position)
        certain += len(may) == 1
        assert sample(logits, settings, position, variant) in may, settings
    assert certain >= 5


@pytest.mark.parametrize("variant", VARIANT_NAMES)
def test_temperature_0_and_top_k_1_and_top_p_0_are_greedy(variant: str) -> None:
    rng = np.random.default_rng(4)
    for vocab in (1, 300, 5001):
        logits = rng.integers(-5, 3, vocab).astype(np.float32)
        for settings in (
            Sampling(0, 5, 0.5),
            Sampling(2, 1),
            Sampling(2, 0, 0.0),
            Sampling(1e-30),
            Sampling(1e-6, 1),
        ):
            assert sample(logits, settings, 20, variant) == logits.argmax(), settings


def test_frequencies_are_the_probabilities() -> None:
    logits = np.array([2, 0, 1, 1, -1, 2, -30, 0.5, 1.5, 0], np.float32)
    for settings in (Sampling(1.5, 6), Sampling(0.7, 0, 0.9), Sampling(3)):
        weights = sampled_weights(logits, settings)
        counts = np.zeros(logits.size)
        draws = 400
        for position in range(3, 3 + draws):
            counts[sample(logits, settings, position)] += 1
        expected = draws * weights / weights.sum()
        assert (counts[expected == 0] == 0).all()
        used = expected > 2
        chi = (((counts - expected) ** 2)[used] / expected[used]).sum()
        assert chi < 30, settings  # 9 degrees of freedom at most: one seed in 2000


def test_seed_and_position_determine_the_token() -> None:
    logits = np.random.default_rng(8).standard_normal(2000).astype(np.float32)
    token = sample(logits, Sampling(5.0, seed=1), 50, repeats=20)
    further = {
        sample(logits, Sampling(5.0, seed=seed), at) for seed, at in ((1, 51), (2, 50), (1 << 32 | 1, 50))
    }
    assert len(further | {token}) == 4


def test_extreme_logits_are_finite() -> None:
    logits = np.array([-1e38, 5, -1e30, 4.5, 1e37, -0.0, 0.0], np.float32)
    assert sample(logits, Sampling(1.0, 0, 0.99), 10) == 4
    assert sample(-np.abs(logits), Sampling(1e-3, 2, 1.0), 10) in {5, 6}
