"""What chapter Numerics promises: no legal runtime fails, however inexact, and no wrong one hides."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.checks import CHECKS
from conformance.container.package import read_tensor
from conformance.core.check import Outcome, Result
from conformance.core.runtime import Format, Info, Reals, Rounded
from conformance.core.vectors import VECTORS, Vector, load
from conformance.mutation.conforming.float32 import Float32Runtime
from conformance.mutation.conforming.kernels import (
    INTEGER_KERNELS,
    KERNELS,
    SCALE_ERROR,
    KernelRuntime,
    in_binary16,
)
from conformance.runtimes.in_process import InProcessRuntime
from conformance.runtimes.reference import Reference
from tests.support.error_bounds import bounded_products
from tests.support.repository import ROOT
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow

COMPUTED = ("activations", "matvec", "logits", "generate", "sample", "adjust", "tokenize")
BY_NAME = {check.name: check for check in CHECKS}
LOADED = load(VECTORS)
INT8 = [v for v in LOADED if v.kind == "activations" and v.members["format"] == "int8"]
BINARY16 = [v for v in LOADED if v.kind == "activations" and v.members["format"] == "binary16"]
BAND = Fraction(1, 2) + Fraction(1, 2**13)


def of_kind(kind: str) -> list[Vector]:
    return [vector for vector in LOADED if vector.kind == kind]


def ask(runtime: Any, vector: Vector) -> Result:
    return BY_NAME[vector.kind](InProcessRuntime(runtime, seconds(60)), vector, Path())


def not_passed(runtime: Any, vectors: Sequence[Vector]) -> list[str]:
    """Return the explanations of checks that did not pass."""
    results = [ask(runtime, vector) for vector in vectors]
    assert all(result.outcome is not Outcome.NOT_CLAIMED for result in results)
    return [result.explanation for result in results if result.outcome is not Outcome.PASSED]


@pytest.mark.parametrize("kind", COMPUTED)
def test_there_are_vectors_of_every_kind_and_the_reference_passes_them(kind: str) -> None:
    assert of_kind(kind)
    assert not_passed(Reference("f32"), of_kind(kind)) == []
    assert not_passed(Reference("f16"), of_kind(kind)) == []


# ---- Activations --------------------------------------------------------------------------------------


def flipped(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return legal INT8 codes, each the other one wherever there are two."""
    least, greatest = legal(x)
    most = largest(x)
    nearest = np.rint(np.divide(127 * x.astype(np.float64), most, out=np.zeros(x.shape), where=most > 0))
    return (least + greatest - np.where(least < greatest, nearest, least)).astype(np.float32)


def largest(x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.asarray(np.abs(x).max(axis=1, keepdims=True), np.float64)


def legal(x: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and the largest legal code of each element, in exact arithmetic (ACT-5)."""
    least, greatest = np.zeros(x.shape), np.zeros(x.shape)
    for vector, number in enumerate(x):
        most = Fraction(float(np.abs(number).max()))
        for element, value in enumerate(number):
            exact = 127 * Fraction(float(value)) / most if most else Fraction(0)
            least[vector, element] = max(-127, -((BAND - exact) // 1))
            greatest[vector, element] = min(127, (exact + BAND) // 1)
            if not most:
                least[vector, element] = greatest[vector, element] = 0
    return least, greatest


class Codes:
    """Answers with codes and scales that are almost too wrong, or too wrong by a little."""

    capabilities = frozenset({"activations"})
    info = Info("codes")

    def __init__(self, error: float = 0, excess: tuple[int, ...] | None = None, step: int = 0) -> None:
        self.error = error
        self.excess = excess
        self.step = step

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:  # noqa: ARG002 - INT8 alone
        """Answer."""
        codes = flipped(x)
        if self.excess:
            codes[self.excess] += self.step
        return Rounded(codes, largest(x)[:, 0] / 127 * (1 + self.error))


@pytest.mark.parametrize("error", [SCALE_ERROR, -SCALE_ERROR, 0])
def test_the_other_code_wherever_legal_and_an_inexact_scale_pass(error: float) -> None:
    assert not_passed(Codes(error), INT8) == []


def test_some_vectors_leave_a_choice() -> None:
    assert any((v.array("least") < v.array("greatest")).any() for v in INT8)


@pytest.mark.parametrize("vector", INT8, ids=lambda v: v.id)
def test_smallest_and_largest_codes_are_those_of_the_rule(vector: Vector) -> None:
    least, greatest = legal(vector.array("input"))
    np.testing.assert_array_equal(vector.array("least"), least)
    np.testing.assert_array_equal(vector.array("greatest"), greatest)


@pytest.mark.parametrize("error", [2.0**-20, -(2.0**-20), 1.01 * 2.0**-21])
def test_a_scale_outside_its_error_fails(error: float) -> None:
    failures = not_passed(Codes(error), INT8)
    assert len(failures) == len([v for v in INT8 if v.array("scale").any()])
    assert all("scales off by more than 2^-21" in text for text in failures)


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("vector", INT8, ids=lambda v: v.id)
def test_one_code_outside_the_band_fails(vector: Vector, step: int) -> None:
    x = vector.array("input")
    bound = vector.array("greatest" if step > 0 else "least")
    codes = flipped(x)
    where = tuple(int(i) for i in np.argwhere(codes == bound)[0])
    result = ask(Codes(0, where, step), vector)
    assert result.outcome is Outcome.FAILED
    assert result.headline == "codes outside the guard band"
    assert f"vector {where[0]}, element {where[1]}" in result.explanation
    assert f"outside    1 of {x.size} elements" in result.explanation


@pytest.mark.parametrize("flush", [True, False])
def test_binary16_with_and_without_subnormals_passes(flush: bool) -> None:  # noqa: FBT001
    assert not_passed(KernelRuntime(flush=flush), BINARY16) == []


def test_int8_in_binary32_arithmetic_passes() -> None:
    assert not_passed(KernelRuntime(), INT8) == []


# ---- Matmul -------------------------------------------------------------------------------------------


def matvecs(form: Format) -> list[Vector]:
    return [vector for vector in of_kind("matvec") if vector.members["format"] == form]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("flush", [True, False])
def test_legal_kernels_for_binary16_pass(kernel: str, flush: bool) -> None:  # noqa: FBT001
    assert not_passed(KernelRuntime(KERNELS[kernel], flush=flush), matvecs("binary16")) == []


@pytest.mark.parametrize("kernel", INTEGER_KERNELS)
def test_legal_kernels_for_int8_pass(kernel: str) -> None:
    assert not_passed(KernelRuntime(int8=INTEGER_KERNELS[kernel]), matvecs("int8")) == []


@pytest.mark.parametrize("form", ["binary16", "int8"])
def test_accumulation_in_binary16_fails(form: Format) -> None:
    runtime = KernelRuntime(
        lambda matrix, a: matrix.plain(a, in_binary16),
        lambda matrix, q, s: matrix.integers(q, s, in_binary16),
    )
    about = [vector for vector in matvecs(form) if "LLQ-ACT-8" in vector.rules]
    assert about
    assert len(not_passed(runtime, about)) == len(about)


def test_the_example_of_the_guide_is_real() -> None:
    """README.md shows a failure of a matmul; the suite still writes it so, word for word."""
    guide = (ROOT / "conformance" / "README.md").read_text(encoding="utf-8")
    example = guide.split("```text\n")[2].partition("\n```")[0]
    runtime = KernelRuntime(lambda matrix, a: matrix.plain(a, in_binary16))
    assert example in not_passed(runtime, matvecs("binary16"))


class Off:
    """Returns the expected answer with an error that is a multiple of the bound."""

    capabilities = frozenset({"matvec"})
    info = Info("off")

    def __init__(self, vector: Vector, times: float) -> None:
        self.answer = vector.array("expected") + times * vector.array("bound")

    def matvec(self, *_question: object) -> Reals:
        """Answer."""
        return self.answer


@pytest.mark.parametrize("vector", of_kind("matvec"), ids=lambda v: v.id)
def test_the_bound_is_where_it_begins_to_fail(vector: Vector) -> None:
    for sign in (1, -1):
        assert ask(Off(vector, sign * 0.999), vector).outcome is Outcome.PASSED
        outcome = ask(Off(vector, sign * 1.001), vector).outcome
        assert outcome is (Outcome.FAILED if vector.array("bound").any() else Outcome.PASSED)


@pytest.mark.parametrize("vector", of_kind("matvec"), ids=lambda v: v.id)
def test_bounds_are_those_of_the_chapter(vector: Vector) -> None:
    tensor = read_tensor(vector.package, vector.members["tensor"])
    products = bounded_products(tensor, vector.members["format"], vector.array("input"))
    bound = vector.array("bound")
    np.testing.assert_allclose(products.bound, bound, rtol=1e-12, atol=0)
    assert (np.abs(products.expected - vector.array("expected")) <= 1e-6 * bound).all()


@pytest.mark.parametrize("vector", matvecs("int8"), ids=lambda v: v.id)
def test_inputs_of_matvec_have_one_legal_code_each(vector: Vector) -> None:
    least, greatest = legal(vector.array("input"))
    np.testing.assert_array_equal(least, greatest)


# ---- Whole models -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kv_cache", ["f32", "f16"])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["logits", "generate"])
def test_a_decoder_in_binary32_in_any_order_passes(kind: str, seed: int, kv_cache: str) -> None:
    assert not_passed(Float32Runtime(seed, kv_cache), of_kind(kind)) == []


def test_a_cache_in_binary16_that_is_not_declared_is_named() -> None:
    explained = not_passed(Float32Runtime(0, "f32", holds="f16"), of_kind("logits"))
    assert explained
    assert any("does the cache hold f16?" in text for text in explained)
