"""Misreadings are recognised by their results, each one on all vectors together."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.checks import CHECKS
from conformance.container.decoding import Reading
from conformance.container.misreadings import MISREADINGS, Misreading
from conformance.container.package import Part, Tensor, read_tensor
from conformance.core.check import Outcome, Result
from conformance.core.rules import registry
from conformance.core.vectors import VECTORS, Vector, load
from conformance.diagnosis.causes import common_misreading
from conformance.diagnosis.explanation import explain, reportable
from conformance.runtimes.in_process import InProcessRuntime
from examples.python.miniatures import Right
from tests.support.misbehaving_runtimes import Misread
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

DECODE = CHECKS[0]
FEW = 5
"""Vectors with this number of tensors are models; they take time and distinguish no misreadings."""


@cache
def vectors() -> Sequence[Vector]:
    return [vector for vector in load(VECTORS) if DECODE.concerns(vector) and len(vector.tensors) < FEW]


@cache
def stored(vector: str) -> tuple[Tensor, ...]:
    (stored_vector,) = (candidate for candidate in vectors() if candidate.id == vector)
    return tuple(read_tensor(stored_vector.package, name) for name in stored_vector.tensors)


class Variant(Right):
    """Decodes as one misreading has it."""

    def __init__(self, misreading: Misreading) -> None:
        self.reading = Reading(**{misreading.step: misreading.replacement})

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights, misread."""
        return self.reading(
            next(candidate for candidate in stored(package.parent.name) if candidate.name == tensor)
        )


def decode_all(runtime: Right, some: Sequence[Vector]) -> list[Result]:
    return [DECODE(InProcessRuntime(runtime, seconds(30)), vector, Path()) for vector in some]


@pytest.mark.parametrize("misreading", MISREADINGS, ids=lambda misreading: misreading.name)
def test_each_misreading_is_caught_and_named(misreading: Misreading) -> None:
    results = decode_all(Variant(misreading), vectors())
    wrong = [result for result in results if result.outcome is Outcome.FAILED]
    assert wrong, "no vector tells this misreading from the right reading"
    assert all(misreading.name in result.misreadings for result in wrong)
    assert any(misreading.name in result.headline for result in wrong), "no vector names it"
    common = common_misreading(results)
    assert len(wrong) == 1 or common is not None
    assert common is None or (common.name, common.rule) == (misreading.name, misreading.rule)


def test_misreadings_break_rules_of_decoding() -> None:
    assert {registry()[misreading.rule].stage for misreading in MISREADINGS} == {"decode"}


def test_variants_of_one_name_break_one_rule() -> None:
    rules: dict[str, set[str]] = {}
    for misreading in MISREADINGS:
        rules.setdefault(misreading.name, set()).add(misreading.rule)
    assert [name for name, broken in rules.items() if len(broken) > 1] == []


@pytest.mark.parametrize(
    "rejected",
    [
        "nibble pairs, even column in the low nibble",
        "nibble pairs, even column in the high nibble",
        "split halves within 32 elements (ggml's Q4_0)",
        "four planes of one bit",
        "high plane first",
        "first element at the most significant bits of a byte",
    ],
)
def test_the_rejected_readings_of_the_spec_differ_on_the_worked_example(rejected: str) -> None:
    (worked_example,) = (vector for vector in vectors() if vector.id == "worked-example")
    (result,) = decode_all(Misread(rejected), [worked_example])
    assert result.headline == f"equals *{rejected}*"


def misread(name: str) -> Reading:
    """Return the reading that has this misreading."""
    return Reading(
        **{misreading.step: misreading.replacement for misreading in MISREADINGS if misreading.name == name}
    )


def random_part(dtype: str, rows: int, cols: int) -> Part:
    """Return a part of random codes, scales and zero points; its hashes may be wrong."""
    random = np.random.default_rng(rows * 1000 + cols)
    n = -(-rows // 64) * -(-cols // 64)
    scales = np.zeros(256 * -(-2 * n // 256), np.uint8)
    scales[: 2 * n] = random.uniform(0.01, 1, n).astype("<f2").view(np.uint8)
    zero_points = np.zeros(256 * -(-n // 256) * (dtype == "int4_affine"), np.uint8)
    zero_points[:n] = random.integers(0, 256, min(n, zero_points.size), np.uint8)
    packed = random.integers(0, 256, 2048 * n, np.uint8)
    return Part(dtype, rows, cols, np.concatenate([np.zeros(256, np.uint8), scales, zero_points, packed]))


def test_an_independent_nibble_decoder_is_recognised() -> None:
    """The names must fit decoders that the suite did not write: here with loops, and from the bytes."""
    part = random_part("int4_affine", 70, 130)
    weights = np.zeros((70, 130), np.float32)
    for row in range(70):
        for col in range(130):
            block = row // 64 * 3 + col // 64
            element = row % 64 * 64 + col % 64
            byte = int(part.data[768 + 2048 * block + element // 2])
            code = byte >> 4 if element % 2 else byte & 15
            scale = part.data[256 + 2 * block : 258 + 2 * block].view("<f2")[0]
            zero_point = int(part.data[512 + block].view(np.int8))
            weights[row, col] = np.float32(scale) * np.float32(code - zero_point)
    decoded = [(Tensor("w", "int4_affine", (70, 130), (part,)), weights)]
    assert list(reportable(explain(decoded), decoded)) == ["nibble pairs, even column in the low nibble"]


def test_one_element_off_gets_no_name() -> None:
    part = random_part("int4_symmetric", 64, 128)
    tensor = Tensor("w", "int4_symmetric", (64, 128), (part,))
    weights = misread("high plane first")(tensor)
    assert explain([(tensor, weights)])
    weights[63, 127] += 1
    assert explain([(tensor, weights)]) == {}


def test_all_tensors_must_fit() -> None:
    """A name that fits one tensor and not the other would be a guess."""
    tensors = [Tensor("a", "int4_affine", (64, 64), (random_part("int4_affine", 64, 64),)) for _ in range(2)]
    first, second = (misread(name)(tensors[0]) for name in ("high plane first", "zero_point + 1"))
    assert explain([(tensors[0], first), (tensors[1], second)]) == {}


def test_many_explanations_are_not_reported() -> None:
    """A block of one code looks the same under nearly every misreading of packing."""
    part = random_part("int4_affine", 64, 64)
    part.packed[:] = 0b01010101
    tensor = Tensor("w", "int4_affine", (64, 64), (part,))
    decoded = [(tensor, misread("zero_point + 1")(tensor))]
    assert len(explain(decoded)) > 0
    assert reportable(explain(decoded), decoded) == {}
