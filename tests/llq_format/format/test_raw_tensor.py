"""The declaration of a part of a raw tensor, against the bytes that the writer makes."""

from typing import Literal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from llq_format.format.placement import Placed
from llq_format.format.raw_tensor import RAW_TENSORS, raw_tensor
from llq_format.format.sections import part_bytes
from llq_format.package.record_writer import TensorPlan, part_data, rows_of
from tests.support.declared_values import arrays_of, parsed_arrays, value_of
from tests.support.invented_packages import COLS, ROWS, SEEDS
from tests.support.invented_packages import raw_tensor as random_values

RAW: st.SearchStrategy[Literal["f16", "f32"]] = st.sampled_from(["f16", "f32"])


@given(SEEDS, RAW, ROWS, COLS)
@settings(max_examples=30)
def test_the_declaration_builds_what_the_writer_writes_and_parses_it_again(
    seed: int, dtype: Literal["f16", "f32"], rows: int, cols: int
) -> None:
    values = random_values(np.random.default_rng(seed), (rows, cols), dtype)
    plan = TensorPlan("w", dtype, (rows, cols))
    placed = Placed(0, 256, part_bytes(dtype, rows, cols), 0, rows)
    written = b"".join(part_data(plan, placed, rows_of(plan, values), of_model=False))
    data = RAW_TENSORS[dtype].build(value_of(values, 256), num_values=rows * cols)
    assert data == written
    parsed = RAW_TENSORS[dtype].parse(data, num_values=rows * cols)
    assert parsed_arrays(parsed, dtype) == arrays_of(values)
    assert raw_tensor(dtype, rows * cols).build(parsed) == data
