"""Packages read: exact values, the first error, nothing returned unchecked, no memory for claims."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import llq_format
from llq_format import LLQError, PackedTensor, save
from llq_format.format.sections import part_bytes
from llq_format.validation.package_files import PackageFile
from tests.support import by_the_letter, sample_packages, tampering
from tests.support.repository import ROOT
from tests.support.sample_packages import TENSORS
from tests.support.timeouts import seconds


@pytest.fixture
def package(tmp_path: Path) -> Path:
    sample_packages.write_tensors(tmp_path / "package")
    return tmp_path / "package"


def bits(array: NDArray[np.float32]) -> list[int]:
    return [int(value) for value in array.astype("<f4").view("<u4").ravel()]


def read_tensors(package: Path, name: str | None) -> None:
    opened = llq_format.open(package)
    if name is not None:
        opened.get_tensor(name)


def refusal(package: Path, name: str | None = None) -> str:
    """Return the rule for which a package is refused when opened or, given a name, when a tensor is read."""
    with pytest.raises(LLQError) as caught:
        read_tensors(package, name)
    return caught.value.finding.rule


# ---- Values ----


def test_tensors_decode_as_the_spec_says_from_the_bytes_on_disk(package: Path) -> None:
    with llq_format.open(package) as opened:
        for name, tensor in TENSORS.items():
            actual = opened.get_tensor(name)
            assert actual.dtype == np.float32
            assert actual.shape == tensor.shape
            assert bits(actual) == by_the_letter.weights(package, name)


def test_raw_values_keep_subnormals_and_the_sign_of_zero(tmp_path: Path) -> None:
    halves = np.array([0x0001, 0x8001, 0x8000, 0x03FF, 0x7BFF, 0xFBFF], np.uint16).view(np.float16)
    singles = np.array([0x00000001, 0x80000000, 0x7F7FFFFF, 0x807FFFFF], np.uint32).view(np.float32)
    save(tmp_path / "raw", {"h": halves, "s": singles})
    with llq_format.open(tmp_path / "raw") as opened:
        assert bits(opened.get_tensor("h")) == [
            *(0x33800000, 0xB3800000, 0x80000000, 0x387FC000, 0x477FE000, 0xC77FE000)
        ]
        assert bits(opened.get_tensor("s")) == [0x00000001, 0x80000000, 0x7F7FFFFF, 0x807FFFFF]


@pytest.mark.parametrize("name", ["b", "c"])
def test_blocks_are_returned_as_stored(package: Path, name: str) -> None:
    stored = TENSORS[name]
    assert isinstance(stored, PackedTensor)
    with llq_format.open(package) as opened:
        actual = opened.get_packed(name)
    assert actual.shape == stored.shape
    assert actual.dtype == stored.dtype
    np.testing.assert_array_equal(actual.packed, stored.packed)
    np.testing.assert_array_equal(actual.scales.view(np.uint16), stored.scales.view(np.uint16))
    if stored.zero_points is not None:
        assert actual.zero_points is not None
        np.testing.assert_array_equal(actual.zero_points, stored.zero_points)


def test_blocks_of_one_part_are_views_that_cannot_be_written_to(package: Path) -> None:
    with llq_format.open(package) as opened:
        packed = opened.get_packed("c").packed
    assert not packed.flags.owndata
    assert not packed.flags.writeable
    assert packed.any()  # and stay valid when the package is closed


def test_a_raw_tensor_has_no_blocks(package: Path) -> None:
    with llq_format.open(package) as opened, pytest.raises(TypeError, match="get_tensor"):
        opened.get_packed("a")


def test_tensors_are_the_callers_to_change(package: Path) -> None:
    with llq_format.open(package) as opened:
        opened.get_tensor("d")[...] = 0
        assert opened.get_tensor("d").any()


def test_a_package_is_a_collection_of_names(package: Path) -> None:
    with llq_format.open(package) as opened:
        assert opened.keys() == list(opened) == ["a", "b", "c", "d"]
        assert len(opened) == 4
        assert "a" in opened
        assert "e" not in opened
        assert opened.entry("b").shape == (130, 70)
        for ask in (opened.entry, opened.get_tensor, opened.get_packed):
            with pytest.raises(KeyError, match="no tensor 'e'"):
                ask("e")


def test_a_package_has_several_addresses(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "package", stem="m")
    (tmp_path / "link").symlink_to("package")
    for path in ("package", "link", "package/metadata.json", "package/m.wgsl", "link/metadata.json"):
        with llq_format.open(tmp_path / path) as opened:
            assert len(opened) == 21
        with llq_format.open(str(tmp_path / path)) as opened:
            assert opened.directory.samefile(tmp_path / "package")


def test_an_unknown_extension_that_is_used_and_not_required_changes_nothing(package: Path) -> None:
    before = bits(llq_format.open(package).get_tensor("b"))

    def extend(value: dict[str, Any]) -> None:
        value["extensions_used"] = ["ACME_zero_points_are_colours"]
        value["extensions"] = {"ACME_zero_points_are_colours": {"version": "2.0", "tensors": []}}
        value["tensors"][1]["extensions"] = {"ACME_zero_points_are_colours": {"dtype": "f64"}}

    tampering.edit(package, extend)
    assert tampering.rules(package) == []
    assert bits(llq_format.open(package).get_tensor("b")) == before


def test_extras_change_nothing(package: Path) -> None:
    before = bits(llq_format.open(package).get_tensor("b"))

    def extend(value: dict[str, Any]) -> None:
        value["extras"] = {"version": "2.0", "tensors": []}
        value["tensors"][1]["extras"] = {"dtype": "f64", "shape": [0]}

    tampering.edit(package, extend)
    assert tampering.rules(package) == []
    assert bits(llq_format.open(package).get_tensor("b")) == before


# ---- Nothing unchecked is returned ----


@pytest.mark.parametrize(
    ("name", "shard", "offset"),
    [("a", 0, 256), ("b", 1, 512), ("b", 2, 768), ("b", 3, 5119), ("c", 4, 2815), ("d", 4, 5119)],
)
def test_a_changed_byte_is_noticed_before_its_tensor_is_returned(
    package: Path, name: str, shard: int, offset: int
) -> None:
    path = package / tampering.read(package)["shards"][shard]["file"]
    before = path.read_bytes()[offset]
    tampering.overwrite(package, shard, offset, bytes([before ^ 1]), rehash=False)
    assert refusal(package, name) == "LLQ-HASH-1"
    with llq_format.open(package) as opened:
        with pytest.raises(LLQError):
            opened.get_packed(name) if name in "bc" else opened.get_tensor(name)
        for intact in set(TENSORS) - {name}:
            assert bits(opened.get_tensor(intact)) == by_the_letter.weights(package, intact)


SLOT, SCALE, ZERO, PACKED = 256, 512, 768, 1024  # offsets in a shard that holds a part of b
ILLEGAL: dict[str, tuple[str, int, int, bytes]] = {
    "magic": ("b", 1, 0, b"\x88"),
    "version_major": ("b", 1, 8, b"\x02"),
    "version_minor": ("b", 1, 10, b"\x01"),
    "shard_index": ("b", 1, 12, b"\x00"),
    "shard_count": ("b", 1, 16, b"\x04"),
    "byte_length": ("b", 1, 29, b"\x01"),
    "reserved in preamble": ("b", 1, 255, b"\x01"),
    "block_rows": ("b", 1, SLOT, b"\x20"),
    "block_cols": ("b", 1, SLOT + 4, b"\x80"),
    "num_blocks": ("b", 1, SLOT + 8, b"\x03"),
    "offset": ("b", 1, SLOT + 13, b"\x03"),
    "reserved in slot": ("b", 1, SLOT + 255, b"\x01"),
    "padding after scales": ("b", 1, SCALE + 4, b"\x01"),
    "padding after zero points": ("b", 1, ZERO + 2, b"\x01"),
    "padding after values": ("a", 0, 256 + 600, b"\x01"),
    "scale NaN": ("b", 1, SCALE, b"\x01\x7e"),
    "scale infinite": ("b", 1, SCALE, b"\x00\x7c"),
    "scale zero": ("b", 1, SCALE + 2, b"\x00\x00"),
    "scale subnormal": ("b", 1, SCALE + 2, b"\xff\x03"),
    "scale negative": ("b", 3, SCALE, b"\x00\xbc"),
    "weight beyond binary16": ("b", 2, SCALE, b"\xff\x7b"),
    "code right of the matrix": ("b", 1, PACKED + 2048 + 2, b"\x10"),
    "code below the matrix": ("b", 3, PACKED + 1024 + 2 * 16, b"\x01"),
    "value NaN": ("d", 4, 5116, b"\x00\x00\xc0\x7f"),
    "value infinite": ("a", 0, 256, b"\x00\x7c"),
}
RULES = {
    "magic": "SHARD-2",
    "version_major": "SHARD-3",
    "version_minor": "SHARD-3",
    "shard_index": "SHARD-4",
    "shard_count": "SHARD-4",
    "byte_length": "SHARD-5",
    "reserved in preamble": "SHARD-6",
    "block_rows": "REC-1",
    "block_cols": "REC-1",
    "num_blocks": "REC-2",
    "offset": "REC-3",
    "reserved in slot": "REC-4",
    "padding after scales": "REC-5",
    "padding after zero points": "REC-5",
    "padding after values": "RAW-1",
    "scale NaN": "DEQ-1",
    "scale infinite": "DEQ-1",
    "scale zero": "DEQ-1",
    "scale subnormal": "DEQ-1",
    "scale negative": "DEQ-1",
    "weight beyond binary16": "DEQ-2",
    "code right of the matrix": "PACK-1",
    "code below the matrix": "PACK-1",
    "value NaN": "RAW-2",
    "value infinite": "RAW-2",
}


@pytest.mark.parametrize("fault", ILLEGAL)
def test_illegal_bytes_are_refused_by_their_rule_although_the_hashes_are_right(
    package: Path, fault: str
) -> None:
    name, shard, offset, data = ILLEGAL[fault]
    tampering.overwrite(package, shard, offset, data)
    llq_format.open(package).close()
    assert refusal(package, name) == f"LLQ-{RULES[fault]}"
    assert tampering.rules(package) == [f"LLQ-{RULES[fault]}"]


@pytest.mark.parametrize(("value", "good"), [(0.0, False), (-0.5, False), (1.0, True), (1.0000001, False)])
def test_frequencies_of_rope_are_above_0_and_at_most_1(tmp_path: Path, value: float, good: bool) -> None:  # noqa: FBT001  # a parameter of the test
    metadata = sample_packages.write_model(tmp_path / "package")
    (part,) = metadata.tensors[-1].parts
    tampering.overwrite(tmp_path / "package", 0, part.offset, np.float32(value).tobytes())
    assert tampering.rules(tmp_path / "package") == ([] if good else ["LLQ-MODEL-6"])


def test_an_error_is_raised_again_when_asked_again(package: Path) -> None:
    tampering.overwrite(package, 4, 5116, b"\x00\x00\xc0\x7f")
    with llq_format.open(package) as opened:
        for _ in range(2):
            with pytest.raises(LLQError, match="LLQ-RAW-2"):
                opened.get_tensor("d")


def test_a_shard_that_shrinks_after_opening_is_refused(package: Path) -> None:
    with llq_format.open(package) as opened:
        opened.get_tensor("c")
        os.truncate(package / opened.metadata.shards[4].file, 4096)
        with pytest.raises(LLQError, match="LLQ-PKG-8"):
            opened.get_tensor("d")


def test_a_tensor_that_was_read_does_not_depend_on_the_file(package: Path) -> None:
    expected = by_the_letter.weights(package, "c")
    with llq_format.open(package) as opened:
        tensor = opened.get_packed("c")
        os.truncate(package / opened.metadata.shards[4].file, 0)  # a mapping would end the process (SIGBUS)
        assert bits(tensor.dequantize()) == expected


def test_a_shard_that_changes_while_it_is_read_is_an_error(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with llq_format.open(package) as opened:
        opened.get_tensor("d")
        shard = package / opened.metadata.shards[4].file
        read_into = PackageFile.read_into

        def changing(self: PackageFile, into: memoryview, offset: int) -> None:
            read_into(self, into, offset)
            shard.write_bytes(shard.read_bytes()[:-1])

        monkeypatch.setattr(PackageFile, "read_into", changing)
        with pytest.raises(OSError, match="changed while it was read"):
            opened.get_tensor("d")


def test_a_shard_that_becomes_a_symbolic_link_after_opening_is_not_followed(package: Path) -> None:
    with llq_format.open(package) as opened:
        path = package / opened.metadata.shards[4].file
        path.rename(package / "elsewhere")
        path.symlink_to("elsewhere")
        with pytest.raises(OSError, match="symbolic links"):
            opened.get_tensor("d")


def test_a_shard_that_is_replaced_after_opening_is_checked_again(package: Path) -> None:
    with llq_format.open(package) as opened:
        shard = package / opened.metadata.shards[4].file
        original = shard.read_bytes()
        tampering.overwrite(package, 4, 5119, b"\0", rehash=False)
        tensor = opened.get_packed("c")  # maps the damaged file
        (package / "mended").write_bytes(original)
        (package / "mended").rename(shard)
        assert bits(opened.get_tensor("d")) == by_the_letter.weights(package, "d")
        assert bits(tensor.dequantize()) == by_the_letter.weights(package, "c")


def test_a_shard_that_is_rewritten_after_a_tensor_was_read_is_checked_again(package: Path) -> None:
    with llq_format.open(package) as opened:
        opened.get_tensor("d")
        tampering.overwrite(package, 4, 5116, b"\0\0\0\0", rehash=False)
        with pytest.raises(LLQError, match="LLQ-HASH-1"):
            opened.get_tensor("d")


def test_a_tensor_that_is_read_again_is_not_checked_again(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with llq_format.open(package) as opened:
        first = opened.get_tensor("b")
        monkeypatch.setattr("llq_format.package.reader.check_part", None)
        np.testing.assert_array_equal(opened.get_tensor("b"), first)


def test_many_tensors_of_one_shard_need_one_mapping(tmp_path: Path) -> None:
    blocks = TENSORS["c"]
    save(tmp_path / "p", {f"w{number}": blocks for number in range(50)})
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a count
    with llq_format.open(tmp_path / "p") as opened:
        tensors = [opened.get_packed(name) for name in opened]
        assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208  # a count
    del tensors
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # a count


# ---- The first error ----


def spoil_names(value: dict[str, Any]) -> None:
    value["tensors"].reverse()  # CANON-3, a later stage than PKG-4
    value["stem"] = "other"
    value["tensors"][0]["parts"][0]["offset"] += 1


FIRST: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "version before schema": (lambda v: v.update(version="2.0", bogus=1), "LLQ-VER-1"),
    "schema before model": (lambda v: v.update(shard_limit=1, stem="other"), "LLQ-META-5"),
    "model before tensors and parts": (spoil_names, "LLQ-PKG-4"),
    "parts before files": (
        lambda v: v["shards"][0].update(byte_length=5120, sha256="0" * 64),
        "LLQ-PART-9",
    ),
}


@pytest.mark.parametrize("case", FIRST)
def test_the_first_error_is_of_the_earliest_stage(package: Path, case: str) -> None:
    change, rule = FIRST[case]
    tampering.edit(package, change)
    assert refusal(package) == rule == tampering.rules(package)[0]


def test_the_first_error_of_an_unsealed_index_is_its_form(package: Path) -> None:
    path = package / "metadata.json"
    path.write_bytes(path.read_bytes().replace(b'"stem":"model"', b'"stem":"other"'))
    assert refusal(package) == "LLQ-CANON-2"
    path.write_bytes(path.read_bytes().replace(b",", b", ", 1))
    assert refusal(package) == "LLQ-CANON-1"


# ---- Claims of size ----

# Each claims far more than its files hold, in a way that reaches as deep as it can.
HUGE = (1 << 32) - 256


def claim_a_large_shard(value: dict[str, Any]) -> None:
    """Let one raw tensor fill four gigabytes; only the file is too short."""
    rows = (HUGE - 256) // 4
    value["shard_limit"] = HUGE
    value["shards"] = value["shards"][:1]
    value["shards"][0].update(file="model-00001-of-00001.llq", byte_length=HUGE)
    value["tensors"] = [{**value["tensors"][0], "name": "w", "dtype": "f32", "shape": [rows]}]
    value["tensors"][0]["parts"][0].update(shard=0, offset=256, byte_length=HUGE - 256, num_rows=rows)


def claim_a_large_matrix(value: dict[str, Any]) -> None:
    """Let one matrix have 2^53 elements in a part whose length is right modulo 2^32."""
    rows, cols = 1 << 30, 1 << 22
    length = part_bytes("int4_affine", rows, cols) % (1 << 32) or 256
    value["tensors"] = [{**value["tensors"][1], "name": "w", "shape": [rows, cols]}]
    value["tensors"][0]["parts"] = value["tensors"][0]["parts"][:1]
    value["tensors"][0]["parts"][0].update(num_rows=rows, byte_length=length)


def claim_many_tensors(value: dict[str, Any]) -> None:
    """Let the model call for four million experts."""
    layer = {
        "attention": {"rope": False, "qk_norm": False, "chunk_size": None, "temperature": None},
        "ffn": {
            "activation": "silu",
            "gated": True,
            "intermediate_size": 1,
            "moe": {"num_experts": 4096, "shared_intermediate_size": 1},
        },
    }
    value["model"] = sample_packages.MODEL.to_json()
    value["model"]["layers"] = [layer] * 1024


CLAIMS = {
    "large shard": (claim_a_large_shard, "LLQ-PKG-8"),
    "large matrix": (claim_a_large_matrix, "LLQ-PART-5"),
    "many tensors": (claim_many_tensors, "LLQ-TENSOR-3"),
}
READ_IN_LITTLE_MEMORY = """
import resource, sys
import llq_format
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20),) * 2)
print(llq_format.validate(sys.argv[1])[0].rule)
try:
    llq_format.open(sys.argv[1])
except llq_format.LLQError as error:
    print(error.finding.rule)
"""


@pytest.mark.parametrize("claim", CLAIMS)
def test_claims_of_size_are_refused_without_memory_for_them(package: Path, claim: str) -> None:
    change, rule = CLAIMS[claim]
    (package / "model-00001-of-00001.llq").write_bytes(bytes(512))
    tampering.edit(package, change)
    process = subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-c", READ_IN_LITTLE_MEMORY, str(package)],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=seconds(60),
    )
    assert process.stdout.split() == [rule, rule]


def test_an_index_that_is_too_long_is_refused_by_its_size_alone(package: Path) -> None:
    os.truncate(package / "metadata.json", 1 << 40)  # sparse
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(package) == "LLQ-PKG-2"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10  # KiB


@pytest.mark.parametrize("modulus", [1 << 32, 1 << 64])
@pytest.mark.parametrize("dtype", ["f32", "int4_symmetric"])
def test_sizes_that_would_wrap_are_refused(package: Path, dtype: str, modulus: int) -> None:
    def wrap(value: dict[str, Any]) -> None:
        rows, cols = (1 << 31) - 64, 1 << 22
        tensor = {**value["tensors"][1], "dtype": dtype, "shape": [rows, cols]}
        length = by_the_letter.part_length(dtype, rows, cols) % modulus
        part = {**tensor["parts"][0], "num_rows": rows, "byte_length": min(length or 256, HUGE)}
        value["tensors"][1] = {**tensor, "parts": [part]}

    tampering.edit(package, wrap)
    assert refusal(package) == "LLQ-PART-5"


def test_an_end_above_2_to_the_32_does_not_wrap_to_the_start(package: Path) -> None:
    tampering.edit(package, lambda value: value["tensors"][0]["parts"][0].update(offset=HUGE))
    assert refusal(package) == "LLQ-PART-6"
