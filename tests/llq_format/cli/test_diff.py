"""`llq diff`: what differs, and exit statuses as diff(1) has them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from llq_format import PackedTensor, pack, save
from tests.support import tampering
from tests.support.command_line import llq, on_terminal, tiny

Floats = NDArray[np.float32]


def diff_json(a: Path, b: Path) -> tuple[int, dict[str, Any]]:
    result = llq("diff", a, b, "--json")
    value: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, value


def matrix(codes: NDArray[np.uint8], scales: list[float], zero_points: list[int]) -> PackedTensor:
    """Return two blocks side by side."""
    packed = pack(codes.reshape(64, 2, 64).transpose(1, 0, 2))
    return PackedTensor((64, 128), np.array(scales, np.float16), np.array(zero_points, np.int8), packed)


@pytest.fixture
def codes() -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 16, (64, 128), dtype=np.uint8)


def test_a_package_and_its_copy_are_the_same(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    shutil.copytree(package, tmp_path / "copy")
    result = llq("diff", package, tmp_path / "copy")
    assert result.exit_code == 0
    size = sum(file.stat().st_size for file in package.iterdir() if file.name != "metadata.json")
    assert result.stdout.splitlines()[-1] == (
        f"identical: equal digests, 16 tensors, {size:,} bytes compared in 3 files"
    )
    assert diff_json(package, tmp_path / "copy")[1]["same"] is True


def test_blocks_and_weights_are_counted(tmp_path: Path, codes: NDArray[np.uint8]) -> None:
    save(tmp_path / "a", {"w": matrix(codes, [0.5, 0.25], [3, 4])})
    changed = codes.copy()
    changed[5, 70] ^= 1
    save(tmp_path / "b", {"w": matrix(changed, [0.5, 0.25], [3, 4])})
    save(tmp_path / "c", {"w": matrix(codes, [0.5, 0.25], [3, 6])})
    save(tmp_path / "d", {"w": matrix(codes, [1.0, 0.25], [3, 4])})
    status, value = diff_json(tmp_path / "a", tmp_path / "b")
    assert status == 1
    (tensor,) = value["tensors"]
    assert tensor["blocks"] == {"codes": [1]}
    assert tensor["weights"] == {"differing": 1, "total": 8192, "largest": 0.25, "row": 5, "col": 70}
    (tensor,) = diff_json(tmp_path / "a", tmp_path / "c")[1]["tensors"]
    assert tensor["blocks"] == {"zero_point": [1]}
    assert (tensor["weights"]["differing"], tensor["weights"]["largest"]) == (4096, 0.5)
    (tensor,) = diff_json(tmp_path / "a", tmp_path / "d")[1]["tensors"]
    assert tensor["blocks"] == {"scale": [0]}
    difference = codes[:, :64].astype(int) - 3
    assert tensor["weights"]["differing"] == np.count_nonzero(difference)
    assert tensor["weights"]["largest"] == 0.5 * np.abs(difference).max()


def test_text_names_what_differs(tmp_path: Path, codes: NDArray[np.uint8]) -> None:
    save(tmp_path / "a", {"w": matrix(codes, [0.5, 0.25], [3, 4]), "x": np.ones(3, np.float32)})
    changed = codes.copy()
    changed[5, 70] ^= 1
    changed[6, 71] ^= 1
    save(
        tmp_path / "b",
        {"w": matrix(changed, [0.5, 0.25], [3, 4]), "y": np.ones((2, 2), np.float16)},
        stem="z",
    )
    result = llq("diff", tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[2:] == [
        "",
        "metadata",
        '  /stem: "model" | "z"',
        "",
        "only in a",
        "  x: f32 [3]",
        "",
        "only in b",
        "  y: f16 [2, 2]",
        "",
        "different tensors",
        "  w",
        "    weights  2 of 8,192 differ (0.02%), by at most 0.25, at row 5, column 70",
        "    codes    differ in 1 block: 1",
        "",
        "different: 1 of 1 common tensors differ, 1 only in a, 1 only in b",
    ]


def test_dtype_and_shape(tmp_path: Path, codes: NDArray[np.uint8]) -> None:
    quantized = matrix(codes, [0.5, 0.25], [3, 4])
    save(tmp_path / "a", {"r": np.ones((2, 3), np.float32), "w": quantized})
    save(tmp_path / "b", {"r": np.ones((3, 2), np.float32), "w": quantized.dequantize()})
    status, value = diff_json(tmp_path / "a", tmp_path / "b")
    assert status == 1
    by_name = {tensor["name"]: tensor for tensor in value["tensors"]}
    assert by_name["r"]["weights"] is None
    assert by_name["r"]["members"] == [
        {"pointer": "/shape/0", "a": 2, "b": 3},
        {"pointer": "/shape/1", "a": 3, "b": 2},
    ]
    assert by_name["w"]["members"] == [{"pointer": "/dtype", "a": "int4_affine", "b": "f32"}]
    assert by_name["w"]["weights"]["differing"] == 0


def test_zeros_of_different_sign_differ_by_nothing(tmp_path: Path) -> None:
    save(tmp_path / "a", {"r": np.array([0.0, 1.0], np.float32)})
    save(tmp_path / "b", {"r": np.array([-0.0, 1.0], np.float32)})
    (tensor,) = diff_json(tmp_path / "a", tmp_path / "b")[1]["tensors"]
    assert (tensor["weights"]["differing"], tensor["weights"]["largest"]) == (1, 0.0)


def test_placement_alone_is_one_member(tmp_path: Path) -> None:
    tensors: dict[str, PackedTensor | Floats] = {
        "r": np.arange(400, dtype=np.float32).reshape(100, 4),
        "w": PackedTensor(
            (128, 64), np.ones(2, np.float16), None, np.arange(4096, dtype=np.uint8).reshape(2, -1)
        ),
    }
    save(tmp_path / "whole", tensors)
    save(tmp_path / "cut", tensors, shard_limit=3072)
    status, value = diff_json(tmp_path / "whole", tmp_path / "cut")
    assert status == 1
    assert [member["pointer"] for member in value["metadata"]] == ["/shard_limit"]
    assert value["tensors"] == []


def test_trouble_is_2_and_names_the_package(tmp_path: Path) -> None:
    package, missing = tiny(tmp_path), tmp_path / "missing"
    result = llq("diff", package, missing)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"llq: {missing}: error LLQ-PKG-1")
    assert llq("diff", package).exit_code == 2
    damaged = tmp_path / "damaged"
    assert llq("synth", "tiny", damaged, "--seed", "1").exit_code == 0
    tampering.overwrite(damaged, 0, 300, b"\xff", rehash=False)
    result = llq("diff", package, damaged)
    assert result.exit_code == 2
    assert f"{damaged}: error LLQ-HASH-1" in result.stderr
    assert result.stdout == ""


def test_long_lists_are_folded_and_lines_fit(tmp_path: Path) -> None:
    package, changed = tiny(tmp_path), tmp_path / "other"
    tensors: dict[str, Floats] = {f"t{number:03}": np.ones(1, np.float32) for number in range(50)}
    save(changed, tensors)
    status, _, plain = on_terminal("diff", package, changed)
    assert status == 1
    assert "… 30 more (--all)" in plain
    assert max(map(len, plain.rstrip("\n").splitlines()[2:])) <= 80
    assert "more (--all)" not in llq("diff", package, changed, "--all").stdout


def test_a_flipped_byte_is_found_although_the_digests_are_equal(tmp_path: Path) -> None:
    package, copy = tiny(tmp_path), tmp_path / "copy"
    shutil.copytree(package, copy)
    shard = copy / "tiny-00001-of-00001.llq"
    data = bytearray(shard.read_bytes())
    data[9000] ^= 1
    data[9001] ^= 255
    shard.write_bytes(data)
    result = llq("diff", package, copy)
    assert result.exit_code == 1
    assert "  tiny-00001-of-00001.llq: 2 bytes differ, the first at offset 9,000\n" in result.stdout
    assert "different: equal digests, but different bytes in 1 of 3 files" in result.stdout
    status, value = diff_json(package, copy)
    assert (status, value["same"], value["index_only"]) == (1, False, False)
    assert value["files"] == [{"file": "tiny-00001-of-00001.llq", "offset": 9000, "differing": 2}]


def test_index_only_reports_that_no_bytes_were_read(tmp_path: Path) -> None:
    package, copy = tiny(tmp_path), tmp_path / "copy"
    shutil.copytree(package, copy)
    shard = copy / "tiny-00001-of-00001.llq"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x01")
    result = llq("diff", package, copy, "--index-only")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == (
        "identical: equal digests, 16 tensors, only metadata.json was read (--index-only)"
    )
    assert json.loads(llq("diff", package, copy, "--index-only", "--json").stdout)["index_only"] is True


def test_index_only_compares_the_hashes_of_tensors(tmp_path: Path, codes: NDArray[np.uint8]) -> None:
    save(tmp_path / "a", {"w": matrix(codes, [0.5, 0.25], [3, 4]), "x": np.ones(3, np.float32)})
    save(tmp_path / "b", {"w": matrix(codes, [0.5, 0.5], [3, 4]), "x": np.ones(3, np.float32)})
    result = llq("diff", tmp_path / "a", tmp_path / "b", "--index-only")
    assert result.exit_code == 1
    assert "  weights  not compared: --index-only" in result.stdout
    assert result.stdout.splitlines()[-1] == (
        "different: 1 of 2 common tensors differ; only metadata.json was read (--index-only)"
    )


def test_a_tensor_with_equal_hashes_is_read_too(tmp_path: Path, codes: NDArray[np.uint8]) -> None:
    """The shard of `b` is damaged in a tensor that the metadata of both packages describes alike."""
    save(tmp_path / "a", {"w": matrix(codes, [0.5, 0.25], [3, 4]), "x": np.ones(3, np.float32)})
    save(tmp_path / "b", {"w": matrix(codes, [0.5, 0.25], [3, 4]), "x": np.zeros(3, np.float32)})
    (shard,) = (tmp_path / "b").glob("*.llq")
    data = bytearray(shard.read_bytes())
    at = data.index(bytes(matrix(codes, [0.5, 0.25], [3, 4]).packed.reshape(-1)[:64]))
    data[at] ^= 1
    shard.write_bytes(data)
    result = llq("diff", tmp_path / "a", tmp_path / "b")
    assert result.exit_code == 2
    assert "LLQ-HASH-1" in result.stderr
    assert llq("diff", tmp_path / "a", tmp_path / "b", "--index-only").exit_code == 1
