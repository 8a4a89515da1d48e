"""The declaration of a shard, against the table of the spec and the shards of invented packages."""

import struct
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from construct import ConstError
from hypothesis import given, settings

import llq_format
from llq_format import Metadata, Package, PackedTensor
from llq_format.format.shard import PREAMBLE, shard
from llq_format.metadata.metadata import Part, TensorEntry
from tests.support.declared_values import arrays_of, parsed_arrays, value_of
from tests.support.invented_packages import Invented, Tensor, packages

pytestmark = pytest.mark.slow


def test_a_preamble_has_its_fields_where_the_table_has_them() -> None:
    data = PREAMBLE.build(
        {"shard_index": 0x01020304, "shard_count": 0x05060708, "byte_length": 0x090A0B0C0D0E0F10}
    )
    assert data == (
        bytes.fromhex("89 4C 4C 51 0D 0A 1A 0A  01 00  00 00  04 03 02 01  08 07 06 05  00 00 00 00")
        + bytes.fromhex("10 0F 0E 0D 0C 0B 0A 09")
        + bytes(224)
    )


def test_parsing_a_preamble_reports_what_is_there_and_judges_nothing() -> None:
    data = bytes(range(256))
    preamble = PREAMBLE.parse(data)
    assert preamble.magic == data[:8]
    assert (preamble.version_major, preamble.version_minor) == struct.unpack_from("<2H", data, 8)
    assert (preamble.shard_index, preamble.shard_count) == struct.unpack_from("<2I", data, 12)
    assert preamble.byte_length == struct.unpack_from("<Q", data, 24)[0]
    assert preamble.reserved_20 + preamble.reserved_32 == data[20:24] + data[32:]


def test_what_is_written_cannot_have_another_magic() -> None:
    with pytest.raises(ConstError):
        PREAMBLE.build({"magic": b"GGUF\0\0\0\0", "shard_index": 0, "shard_count": 1, "byte_length": 512})


def parts_of_shard(metadata: Metadata, index: int) -> list[tuple[TensorEntry, Part]]:
    """Return the parts of a shard, each with its tensor, in order of offset."""
    parts = [(entry, part) for entry in metadata.tensors for part in entry.parts if part.shard == index]
    return sorted(parts, key=lambda item: item[1].offset)


def rows_as_read(package: Package, entry: TensorEntry, part: Part) -> Tensor:
    """Return the rows of a part as the reader gives them, raw values in their stored dtype."""
    rows = slice(part.first_row, part.first_row + part.num_rows)
    if entry.dtype in ("f16", "f32"):
        stored = np.float16 if entry.dtype == "f16" else np.float32
        return package.get_tensor(entry.name)[rows].astype(stored)
    return package.get_packed(entry.name).rows(part.first_row, part.num_rows)


@given(packages())
@settings(max_examples=25)
def test_whole_shards_are_built_and_parsed_as_reader_and_writer_have_them(invented: Invented) -> None:
    with TemporaryDirectory() as parent:
        metadata = invented.write(Path(parent) / "package")
        with llq_format.open(Path(parent) / "package") as package:
            for index, file in enumerate(metadata.shards):
                data = (package.directory / file.file).read_bytes()
                assert_is_declared(package, index, data)


def assert_is_declared(package: Package, index: int, data: bytes) -> None:
    """Assert that the bytes of a shard are what its declaration builds and parses."""
    parts = parts_of_shard(package.metadata, index)
    declared = shard({entry.name: (entry.dtype, part.num_rows * entry.cols) for entry, part in parts})
    tensors = {entry.name: rows_as_read(package, entry, part) for entry, part in parts}
    preamble = {
        "shard_index": index,
        "shard_count": len(package.metadata.shards),
        "byte_length": len(data),
    }
    values = {entry.name: value_of(tensors[entry.name], part.offset) for entry, part in parts}
    assert declared.build({"preamble": preamble, "parts": values}) == data
    parsed = declared.parse(data)
    assert {name: parsed.preamble[name] for name in preamble} == preamble
    for entry, part in parts:
        assert parsed_arrays(parsed.parts[entry.name], entry.dtype) == arrays_of(tensors[entry.name])
        if isinstance(tensors[entry.name], PackedTensor):
            assert parsed.parts[entry.name].slot.offset == part.offset + 256
    assert declared.build(parsed) == data
