"""A self-test of the functions of a variant on a device: drivers and shader compilers have bugs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK
from llq_format.format.packing import pack
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.dispatches import GATED, NORMALIZE, ROUNDED, WEIGHT_F16, Dispatches
from llq_format.webgpu.planning.planner import program_variants
from llq_format.webgpu.planning.program import Buffer, Dispatch, Program
from llq_format.webgpu.planning.sizes import ROPE_FLAGS

_TOKENS = 2
_COLS = 2 * BLOCK
_HEAD_DIM = 260
"""Elements of a query head, which several subgroups add up."""

_LARGEST = float(np.finfo(np.float32).max)
_TOLERANCE = 1e-4
"""Tolerance: far above the rounding of binary32, far below the error of a wrong sum, dot product or scale."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a buffer is expected to hold.

    rows: [rows, columns], binary64, the first values of the buffer. tolerances: [rows], the maximum errors.
    """

    buffer: str
    rows: NDArray[np.float64]
    tolerances: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A computation with its inputs, for each buffer its first bytes, and its expected results."""

    program: Program
    inputs: dict[str, NDArray[Any]]
    outputs: tuple[Output, ...]


def self_test() -> SelfTest:
    """Return norms, their INT8 codes, products with one block row, an activation, and normalized queries.

    The norm takes `group_sum_and_max` and `halves`, the product `dot4` and `halves`, the queries `group_sum`:
    every function that variants have their own bodies for. All INT8 codes are integers before they are
    rounded.
    Operands are of ordinary size, and at the ends of their ranges: mean squares up to 2^123, maximum
    magnitudes of 2^-99 and of the largest binary32, exponents from -86 to 0, and outside this range.
    """
    rng = np.random.default_rng(5)
    weight = rng.choice(np.array([0.25, 0.5, 1.0], np.float16), _COLS)
    codes = rng.integers(-127, 128, _COLS)
    codes[[3, 100]] = 127, -127
    x = codes / weight.astype(np.float64)
    steps = np.array([[_LARGEST], [2.0**-99]]) / 127
    q = rng.integers(0, 16, (2, BLOCK, BLOCK)).astype(np.uint8)
    scale, zero_point = np.array([0.375, 1.5]) * 2.0**-13, np.array([-3, 9], np.int8)
    gates = np.array([-_LARGEST, -1000, -86, -20, -1, 0, 1, 20, 86, _LARGEST])
    factors = np.array([1e20, 1e20, 1e36, 1e8, 1, 1, 1, 0.2, 0.05, 2.0**-126])
    queries = np.array([[1.0], [2.0**54]]) * rng.uniform(-4, 4, (_TOKENS, _HEAD_DIM))
    inputs = {
        "qkv": queries.astype(np.float32),
        "x": (np.array([[1.0], [2.0**54]]) * x).astype(np.float32),
        "extremes": (steps * codes).astype(np.float32),
        "hidden": np.concatenate([gates, factors]).astype(np.float32),
        "weight": weight,
        "packed": pack(q),
        "scale": scale.astype(np.float16),
        "zero_point": np.pad(zero_point, (0, 2)),
        "state": np.array([0, _TOKENS], np.uint32),
    }
    blocks = scale[:, None, None] * (q - zero_point[:, None, None].astype(np.float64))
    products = np.concatenate(list(blocks), axis=1) @ codes
    normalized = np.tile(products / np.sqrt(np.mean(np.square(x))), (_TOKENS, 1))
    heads = queries / np.sqrt(np.sum(np.square(queries), axis=1, keepdims=True))
    silu = gates * np.exp(np.minimum(gates, 0)) / (1 + np.exp(-np.abs(gates)))
    outputs = (
        Output("y", normalized, _TOLERANCE * np.abs(normalized).max(axis=1)),
        Output("y_of_extremes", steps * products, _TOLERANCE * np.abs(steps * products).max(axis=1)),
        Output("rounded", (silu * factors)[None], np.array([2.0**-7])),
        Output("q", heads, _TOLERANCE * np.abs(heads).max(axis=1)),
    )
    return SelfTest(_program(inputs), inputs, outputs)


def computes_rightly(device: Device) -> bool:
    """Return whether a device computes the expected results of `self_test`."""
    test = self_test()
    executor = Executor(None, test.program, device, _TOKENS)
    for name, data in test.inputs.items():
        executor.write(name, data)
    executor.run("operation", _TOKENS)
    return all(_holds(executor, output) for output in test.outputs)


def _holds(executor: Executor, output: Output) -> bool:
    """Return whether a buffer holds the expected values."""
    values = executor.read(output.buffer, output.rows.size).astype(np.float64).reshape(output.rows.shape)
    return bool((np.abs(values - output.rows) <= output.tolerances[:, None]).all())


def _program(inputs: dict[str, NDArray[Any]]) -> Program:
    make, blocks = Dispatches(None, _COLS // BLOCK), _COLS // BLOCK

    def norm(source: str, flags: int, rounded: Sequence[str]) -> Dispatch:
        bindings = (source, "weight", "score", "state", *rounded)
        parameters = (_COLS, _COLS, blocks, flags, 0.0)
        return make.dispatch(
            f"self-test norm of {source}", "norm_int8", bindings, parameters, (_TOKENS, 1, 1)
        )

    def product(result: str, rounded: Sequence[str]) -> Dispatch:
        bindings = ("packed", "scale", "zero_point", *rounded, "choice", result)
        parameters = (BLOCK, blocks, 0, 0, BLOCK, blocks, 0, 0)
        grid = (BLOCK, _TOKENS, 1)  # enough, however few rows a workgroup takes
        return make.dispatch(f"self-test product {result}", "matvec_int8", bindings, parameters, grid)

    ordinary = ROUNDED["int8"]
    extreme = tuple(f"{name}_of_extremes" for name in ordinary)
    columns = inputs["hidden"].size // 2
    dispatches = (
        norm("x", NORMALIZE | WEIGHT_F16, ordinary),
        norm("extremes", 0, extreme),
        product("y", ordinary),
        product("y_of_extremes", extreme),
        make.dispatch(
            "self-test activation",
            "activate_binary16",
            ("hidden", *ROUNDED["binary16"]),
            (columns, 2 * columns, 1, GATED),
            (1, 1, 1),
        ),
        make.dispatch(
            "self-test norm of queries",
            "rope",
            ("qkv", "turns", "state", "q", "keys", "values"),
            (1, 0, _HEAD_DIM, ROPE_FLAGS["qk_norm"], 0.0, 0.0, 0),
            (1, _TOKENS, 1),
        ),
    )
    sizes = {name: data.nbytes for name, data in inputs.items()}
    sizes |= {"state": 256, "score": 4 * _TOKENS, "choice": 4 * _TOKENS}
    sizes |= {"turns": 8, "q": 4 * _TOKENS * _HEAD_DIM, "keys": 4, "values": 4}  # no rotation and no keys
    sizes |= {"rounded": 4 * BLOCK, "rounded_sums": 4}
    for suffix in ("", "_of_extremes"):
        sizes |= {f"codes{suffix}": _TOKENS * _COLS, f"sums{suffix}": 4 * _TOKENS * blocks}
        sizes |= {f"scales{suffix}": 4 * _TOKENS, f"y{suffix}": 4 * _TOKENS * BLOCK}
    return Program(
        chunk=_TOKENS,
        context_length=_TOKENS,
        kv_cache="f32",
        variants=program_variants(),
        weights={},
        buffers={name: Buffer("activation", size) for name, size in sizes.items()},
        pipelines={dispatch.entry_point: accesses(dispatch.entry_point) for dispatch in dispatches},
        parameters=make.parameters.table(),
        passes={"operation": dispatches},
    )
