"""A self-test of the functions of a variant on a device: drivers and shader compilers have bugs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.format.layout import BLOCK
from llq_format.format.packing import pack
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.dispatches import NORMALIZE, ROUNDED, WEIGHT_F16, Dispatches
from llq_format.webgpu.planning.planner import program_variants
from llq_format.webgpu.planning.program import Buffer, Program

_COLS = 2 * BLOCK
_TOLERANCE = 1e-4
"""Tolerance: far above the rounding of binary32, far below the error of a wrong sum, dot product or scale."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """A computation with its inputs and its expected result.

    inputs: for each buffer its first bytes. expected: of the buffer `y`, [BLOCK], binary64. tolerance:
    maximum error of a value.
    """

    program: Program
    inputs: dict[str, NDArray[Any]]
    expected: NDArray[np.float64]
    tolerance: float


def self_test() -> SelfTest:
    """Return a norm, its INT8 codes and a product of one block row.

    The norm takes `group_sum_and_max` and `halves`, the product `dot4` and `halves`: every function that
    variants have their own bodies for. All INT8 codes of it are integers before they are rounded.
    """
    rng = np.random.default_rng(5)
    weight = rng.choice(np.array([0.25, 0.5, 1.0], np.float16), _COLS)
    codes = rng.integers(-127, 128, _COLS)
    codes[[3, 100]] = 127, -127
    x = codes / weight.astype(np.float64)
    q = rng.integers(0, 16, (2, BLOCK, BLOCK)).astype(np.uint8)
    scale, zero_point = np.array([0.375, 1.5], np.float16), np.array([-3, 9], np.int8)
    inputs = {
        "x": x.astype(np.float32),
        "weight": weight,
        "packed": pack(q),
        "scale": scale,
        "zero_point": np.pad(zero_point, (0, 2)),
        "state": np.array([0, 1], np.uint32),
    }
    blocks = scale[:, None, None].astype(np.float64) * (q - zero_point[:, None, None].astype(np.float64))
    root = np.sqrt(np.mean(np.square(x)))
    expected = np.concatenate(list(blocks), axis=1) @ codes / root
    return SelfTest(_program(inputs), inputs, expected, float(_TOLERANCE * np.abs(expected).max()))


def computes_rightly(device: Device) -> bool:
    """Return whether a device computes the expected result of `self_test`."""
    test = self_test()
    executor = Executor(None, test.program, device, 1)
    for name, data in test.inputs.items():
        executor.write(name, data)
    executor.run("operation", 1)
    output = executor.read("y", BLOCK).astype(np.float64)
    return bool(np.abs(output - test.expected).max() <= test.tolerance)


def _program(inputs: dict[str, NDArray[Any]]) -> Program:
    make = Dispatches(None, _COLS // BLOCK)
    norm = make.dispatch(
        "self-test norm",
        "norm_int8",
        ("x", "weight", "score", "state", *ROUNDED["int8"]),
        (_COLS, _COLS, _COLS // BLOCK, NORMALIZE | WEIGHT_F16, 0.0),
        (1, 1, 1),
    )
    product = make.dispatch(
        "self-test product",
        "matvec_int8",
        ("packed", "scale", "zero_point", *ROUNDED["int8"], "choice", "y"),
        (BLOCK, _COLS // BLOCK, 0, 0, BLOCK, _COLS // BLOCK, 0, 0),
        (BLOCK, 1, 1),  # enough, however few rows a workgroup takes
    )
    sizes = {name: data.nbytes for name, data in inputs.items()}
    sizes |= {"state": 256, "score": 4, "choice": 4, "codes": _COLS, "sums": 8, "scales": 4, "y": 4 * BLOCK}
    return Program(
        chunk=1,
        context_length=1,
        kv_cache="f32",
        variants=program_variants(),
        weights={},
        buffers={name: Buffer("activation", size) for name, size in sizes.items()},
        pipelines={dispatch.entry_point: accesses(dispatch.entry_point) for dispatch in (norm, product)},
        parameters=make.parameters.table(),
        passes={"operation": (norm, product)},
    )
