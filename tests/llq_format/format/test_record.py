"""The declaration of a PackedWeight record, against the spec and the bytes that the writer makes."""

import struct
from typing import Literal

import numpy as np
import pytest
from construct import ConstError
from hypothesis import given, settings
from hypothesis import strategies as st

from llq_format import PackedTensor
from llq_format.format.placement import Placed
from llq_format.format.record import PLANES, RECORDS, SLOT, Codes
from llq_format.format.sections import part_bytes, sections
from llq_format.package.record_writer import TensorPlan, part_data, rows_of
from tests.support import by_the_letter
from tests.support.declared_values import arrays_of, parsed_arrays, value_of
from tests.support.invented_packages import COLS, ROWS, SEEDS, packed_tensor

INT4: st.SearchStrategy[Literal["int4_affine", "int4_symmetric"]]
INT4 = st.sampled_from(["int4_affine", "int4_symmetric"])
OFFSETS = st.integers(1, 1 << 20).map(lambda n: 256 * n)


def written(tensor: PackedTensor, offset: int) -> bytes:
    """Return the record that the writer makes of a tensor at byte `offset` of a shard."""
    plan = TensorPlan("w", tensor.dtype, tensor.shape)
    rows, cols = tensor.shape
    placed = Placed(0, offset, part_bytes(tensor.dtype, rows, cols), 0, rows)
    return b"".join(part_data(plan, placed, rows_of(plan, tensor), of_model=False))


def test_a_slot_has_its_fields_where_the_table_has_them() -> None:
    data = SLOT.build({"num_blocks": 0x01020304, "offset": 0x05060708})
    assert data == struct.pack("<4I", 64, 64, 0x01020304, 0x05060708) + bytes(240)


def test_parsing_a_slot_reports_what_is_there_and_judges_nothing() -> None:
    data = bytes(range(256))
    slot = SLOT.parse(data)
    fields = (slot.block_rows, slot.block_cols, slot.num_blocks, slot.offset)
    assert fields == struct.unpack_from("<4I", data)
    assert slot.reserved_16 == data[16:]


@pytest.mark.parametrize("field", [{"block_rows": 32}, {"reserved_16": bytes([1] * 240)}])
def test_a_slot_is_not_built_with_other_values_than_the_legal_ones(field: dict[str, object]) -> None:
    with pytest.raises(ConstError):
        SLOT.build({"num_blocks": 1, "offset": 512, **field})


@given(st.binary(min_size=2048, max_size=2048))
@settings(max_examples=10)
def test_the_codes_of_a_block_are_interleaved_as_the_chapter_has_it(packed: bytes) -> None:
    codes = Codes(PLANES).parse(packed)
    assert codes.tolist() == [[by_the_letter.code(packed, r, c) for c in range(64)] for r in range(64)]
    assert Codes(PLANES).build(codes) == packed


@given(SEEDS, INT4, ROWS, COLS, OFFSETS)
@settings(max_examples=60)
def test_the_declaration_builds_what_the_writer_writes_and_parses_it_again(
    seed: int, dtype: str, rows: int, cols: int, offset: int
) -> None:
    tensor = packed_tensor(np.random.default_rng(seed), (rows, cols), affine=dtype == "int4_affine")
    value = value_of(tensor, offset)
    data = RECORDS[dtype].build(value)
    assert data == written(tensor, offset)
    parsed = RECORDS[dtype].parse(data)
    assert parsed.slot.offset == value["slot"]["offset"]
    assert parsed_arrays(parsed, dtype) == arrays_of(tensor)
    assert RECORDS[dtype].build(parsed) == data


@given(SEEDS, INT4, ROWS, COLS)
@settings(max_examples=60)
def test_the_arrays_of_a_record_are_in_its_sections(seed: int, dtype: str, rows: int, cols: int) -> None:
    tensor = packed_tensor(np.random.default_rng(seed), (rows, cols), affine=dtype == "int4_affine")
    data = RECORDS[dtype].build(value_of(tensor, 256))
    arrays = {"scale": tensor.scales, "zero_point": tensor.zero_points, "packed": tensor.packed}
    slot, *spans = sections(dtype, rows, cols)
    assert slot.size == SLOT.sizeof()
    for span in spans:
        array = arrays[span.name]
        assert array is not None
        assert data[span.offset :][: span.size] == array.tobytes()
        assert not any(data[span.offset + span.size : span.end])
    assert spans[-1].end == len(data)
