"""Rounders: the error of products falls from one to the next, and their results are legal."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from llq_format.exporting.rounding import Rounder, error_feedback, nearest, nearest_weighted
from llq_format.exporting.rounding.descent import Fit
from llq_format.exporting.rounding.feedback import damped
from llq_format.exporting.rounding.grid import search
from llq_format.format.layout import BLOCK
from llq_format.format.placement import place
from llq_format.format.quantize import QuantizeError, Scheme
from llq_format.package.record_writer import TensorPlan, part_data, rows_of

pytestmark = pytest.mark.slow

ROUNDERS: dict[str, Rounder] = {
    "nearest": nearest,
    "nearest_weighted": nearest_weighted,
    "gptq": partial(error_feedback, rounds=0),
    "error_feedback": error_feedback,
}
SCHEMES: tuple[Scheme, ...] = ("affine", "symmetric")


def matrix(rows: int, cols: int) -> NDArray[np.float32]:
    """Return weights near those of a model, with heavier tails in some columns."""
    rng = np.random.default_rng([rows, cols])
    return (rng.standard_normal((rows, cols)) * rng.uniform(0.005, 0.03, cols)).astype(np.float32)


def hessian(cols: int) -> NDArray[np.float64]:
    """Return Σ x xᵀ of correlated inputs, a few of them large."""
    rng = np.random.default_rng([cols, 1])
    x = rng.standard_normal((2000, cols)) @ (
        rng.standard_normal((cols, cols)) * rng.uniform(0.1, 1, cols) ** 2
    )
    return np.asarray(x.T @ x)


def error(weights: NDArray[np.float32], rounded: NDArray[np.float32], h: NDArray[np.float64]) -> float:
    """Return tr((W − Ŵ) H (W − Ŵ)ᵀ)."""
    difference = weights.astype(np.float64) - rounded
    return float(np.einsum("rc,rc->", difference @ h, difference))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shape", [(128, 192), (100, 130)])
def test_every_rounder_is_better_than_the_previous_rounder(shape: tuple[int, int], scheme: Scheme) -> None:
    weights, h = matrix(*shape), hessian(shape[1])
    errors = [error(weights, round_(weights, h, scheme).dequantize(), h) for round_ in ROUNDERS.values()]
    assert all(after < before for before, after in pairwise(errors)), errors
    assert errors[-1] < errors[0] / 3


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ROUNDERS)
@pytest.mark.parametrize("calibrated", [True, False], ids=["hessian", "no hessian"])
def test_what_a_rounder_returns_can_be_written(name: str, scheme: Scheme, calibrated: bool) -> None:  # noqa: FBT001  # a parameter
    weights = matrix(70, 130)
    packed = ROUNDERS[name](weights, hessian(130) if calibrated else None, scheme)
    assert packed.shape == (70, 130)
    plan = TensorPlan("w", packed.dtype, packed.shape)
    (parts,) = place([(plan.name, plan.dtype, plan.shape)], 1 << 20).parts
    assert b"".join(map(bytes, part_data(plan, parts[0], rows_of(plan, packed), of_model=False)))
    repeated = ROUNDERS[name](weights, hessian(130) if calibrated else None, scheme)
    assert (repeated.packed == packed.packed).all()
    assert (repeated.scales == packed.scales).all()


def test_plain_feedback_matches_a_column_by_column_computation() -> None:
    """The article's method in its slow form: after each column the rest is solved again."""
    weights, h = matrix(64, 64), damped(hessian(64))
    grid = search(weights, np.diag(h), "affine")
    scale, zero = float(grid.scales[0, 0]), float(grid.zero_points[0, 0])
    order = np.argsort(-np.diag(h), kind="stable")
    current, rounded = weights.astype(np.float64), np.zeros((64, 64))
    for step, column in enumerate(order):
        rounded[:, column] = scale * (np.clip(np.rint(current[:, column] / scale) + zero, 0, 15) - zero)
        pending = order[step + 1 :]
        residual = (weights - rounded)[:, order[: step + 1]]
        if len(pending):  # the rest that minimizes the products' error, given the rounded columns
            coupling = h[np.ix_(order[: step + 1], pending)] @ np.linalg.inv(h[np.ix_(pending, pending)])
            current[:, pending] = weights[:, pending] + residual @ coupling
    actual = error_feedback(weights, hessian(64), "affine", rounds=0).dequantize()
    assert np.mean(actual == rounded.astype(np.float32)) > 0.999  # float32 may tip a tie


def test_descent_never_makes_the_error_larger() -> None:
    weights, h = matrix(130, 200), damped(hessian(200))
    h /= np.mean(np.diag(h))
    grid = search(weights, np.diag(h), "affine")
    down, across = grid.scales.shape

    def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.repeat(np.repeat(values, BLOCK, axis=0), BLOCK, axis=1)[:130, :200]

    assert (down, across) == (3, 4)
    codes = np.clip(np.rint(weights / spread(grid.scales)) + spread(grid.zero_points), 0, 15)
    fit = Fit(np.ascontiguousarray(weights.T), h.astype(np.float32), grid, np.ascontiguousarray(codes.T))
    losses = [fit.loss()]
    for _ in range(5):
        fit.improve()
        losses.append(fit.loss())
    assert all(after <= before * (1 + 1e-5) for before, after in pairwise(losses)), losses
    assert losses[-1] < losses[0] / 2
    decoded = spread(fit.scales) * (fit.codes.T - spread(grid.zero_points))
    assert error(weights, decoded, h) == pytest.approx(
        losses[-1], rel=1e-3
    )  # its running error is the real one


def test_inputs_that_are_always_zero_are_not_an_obstacle() -> None:
    h = hessian(80)
    h[:, 7] = h[7, :] = 0
    weights = matrix(64, 80)
    rounded = error_feedback(weights, h, "affine").dequantize()
    assert error(weights, rounded, h) < error(weights, nearest(weights, h, "affine").dequantize(), h)
    assert np.isfinite(error_feedback(weights, np.zeros((80, 80)), "affine").dequantize()).all()


@pytest.mark.parametrize("name", ROUNDERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_weights_that_no_block_holds_are_refused(name: str, value: float) -> None:
    weights = matrix(64, 64)
    weights[3, 4] = value
    with pytest.raises(QuantizeError):
        ROUNDERS[name](weights, hessian(64), "affine")
