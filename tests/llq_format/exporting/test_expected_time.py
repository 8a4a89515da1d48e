"""The expected time of an export: operations counted by hand, and the losses of docs/quality.md."""

import math
import re
from dataclasses import replace

import pytest

from llq_format.exporting.calibration.expected_time import LOSSES, Operations, operations, speeds_of
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE
from tests.support.repository import ROOT

FEED_FORWARD = FFN("silu", gated=True, intermediate_size=96, moe=None)
ATTENTION = Attention(rope=True, qk_norm=False, chunk_size=None, temperature=None)
MODEL = Model(
    vocab_size=304,
    hidden_size=64,
    num_heads=4,
    num_kv_heads=2,
    head_dim=16,
    context_length=128,
    rms_norm_eps=1e-5,
    rope_pairing="halves",
    tied_embeddings=False,
    fp16_layers=2,
    layers=(Layer(ATTENTION, FEED_FORWARD),),
)
MATRICES = ((128, 64), (64, 64), (192, 64), (64, 96))
"""Rows and columns of the matrices of the layer: qkv, output, gate and up, down."""

WEIGHTS = sum(rows * cols for rows, cols in MATRICES)
TOKENS, LENGTH = 1000, 100
EVERY = WEIGHTS + 2 * 304 * 64 + 3 * 64 + 8
"""All weights: embedding, head, three norms and the frequencies of RoPE are added to the matrices."""


def test_rounding_to_nearest_visits_each_weight() -> None:
    assert operations("rtn", MODEL, TOKENS, LENGTH) == Operations(visited=EVERY)


def test_operations_of_error_feedback() -> None:
    """Two streams, half of each symmetric Gram matrix, and half of the columns after each column."""
    found = operations("gptq", MODEL, TOKENS, LENGTH)
    streams = 2 * TOKENS * WEIGHTS
    grams = TOKENS * (3 * 64**2 + 96**2) / 2
    feedback = (384 * 64**2 + 64 * 96**2) / 2
    assert found.products == streams + grams + feedback
    assert found.scores == 2 * TOKENS * LENGTH * 4
    assert found.cubes == 3 * 64**3 + 96**3
    assert (found.rounded, found.visited) == (WEIGHTS, EVERY)


def test_best_adds_rounds_and_corrections() -> None:
    """Four more rounds; each matrix and the head are corrected, which takes a product of two streams."""
    found, plain = (operations(method, MODEL, TOKENS, LENGTH) for method in ("best", "gptq"))
    squares = 384 * 64**2 + 64 * 96**2
    corrections = TOKENS * (3 * 64**2 + 96**2) + squares
    head = TOKENS * 64**2 + 304 * 64**2
    assert found.products - plain.products == 4 * squares + corrections + head
    assert found.cubes - plain.cubes == 3 * 64**3 + 96**3 + 64**3
    assert found.scores == plain.scores


def test_experts_share_the_tokens() -> None:
    """Four experts and a shared one: the streams of all experts together are those of one dense network."""
    moe = replace(FEED_FORWARD, moe=MoE(4, 96))
    found = [
        operations("gptq", replace(MODEL, layers=(Layer(ATTENTION, moe),)), tokens, LENGTH).products
        for tokens in (0, TOKENS)
    ]
    attention = 2 * (128 + 64) * 64 + 2 * 64**2 / 2
    network = 2 * (192 * 64 + 64 * 96) + (64**2 + 96**2) / 2
    assert found[1] - found[0] == TOKENS * (attention + 2 * network)


def test_layers_add_up() -> None:
    one, two, three = (
        operations("best", replace(MODEL, layers=MODEL.layers * layers), TOKENS, LENGTH).seconds(
            Operations(1e-9, 1e-8, 1e-9, 1e-6, 1e-8)
        )
        for layers in (1, 2, 3)
    )
    assert two - one == pytest.approx(three - two, rel=1e-12)
    assert two > one


def test_seconds_are_a_weighted_sum() -> None:
    assert Operations(1, 2, 3, 4, 5).seconds(Operations(10, 100, 1000, 1e4, 1e5)) == 543210


@pytest.mark.slow
def test_speeds_are_measured() -> None:
    for method in LOSSES:
        speeds = speeds_of(method)
        times = (speeds.products, speeds.scores, speeds.cubes, speeds.rounded, speeds.visited)
        assert all(0 < seconds < math.inf for seconds in times)


def test_losses_are_those_of_the_measurement() -> None:
    page = (ROOT / "docs/quality.md").read_text("utf-8")
    table = page.partition("## Weights alone")[2].partition("\n## ")[0]
    changes = re.findall(r"^\| `(\w+)`(?:, affine)? \| [^|]+ \| \+([0-9.]+)%", table, re.MULTILINE)
    assert {method: round(float(change)) for method, change in changes} == LOSSES
