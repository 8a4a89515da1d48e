"""Packages written: only conforming ones, byte for byte the same, and whole or not at all."""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import llq_format
from llq_format import (
    LLQError,
    Metadata,
    PackageWriter,
    PackedTensor,
    QuantizeError,
    TensorPlan,
    TokenizerFiles,
    pack,
    quantize,
    save,
)
from llq_format.files import work_directory
from llq_format.format.placement import ShardLimitError
from tests.support import sample_packages, tampering
from tests.support.invented_packages import least_limit, model_tensors, tensor
from tests.support.repository import ROOT
from tests.support.sample_packages import TENSORS
from tests.support.timeouts import seconds

ONES = np.ones(3, np.float32)
BLOCKS = quantize(np.linspace(-1, 1, 100 * 70, dtype=np.float32).reshape(100, 70))
PLAN = TensorPlan("w", "int4_affine", (100, 70))


def write(directory: Path, plan: TensorPlan, value: Any, **options: Any) -> Metadata:
    """Write a package of one tensor."""
    with PackageWriter(directory, [plan], **options) as writer:
        writer.add(plan.name, value)
        return writer.finish()


@contextmanager
def nothing_left(parent: Path) -> Iterator[None]:
    """Expect that the block leaves a directory's entries as they were."""
    before = sorted(parent.rglob("*"))
    yield
    assert sorted(parent.rglob("*")) == before


# ---- What is written ----


def test_a_package_of_one_block_has_these_bytes(tmp_path: Path) -> None:
    codes = np.array([[(r + 3 * c) % 16 for c in range(64)] for r in range(64)], np.uint8)
    block = PackedTensor((64, 64), np.array([0.5], np.float16), np.array([-3], np.int8), pack(codes)[None])
    metadata = save(tmp_path / "p", {"w": block}, stem="m")
    data = (tmp_path / "p" / "m-00001-of-00001.llq").read_bytes()
    preamble = b"\x89LLQ\r\n\x1a\n" + struct.pack("<HHIIIQ", 1, 0, 0, 1, 0, 3072) + bytes(224)
    slot = struct.pack("<4I", 64, 64, 1, 512) + bytes(240)
    sections = b"\x00\x38" + bytes(254) + b"\xfd" + bytes(255) + pack(codes).tobytes()
    assert data == preamble + slot + sections
    assert tampering.seal(json.loads(metadata.to_bytes())) == (tmp_path / "p/metadata.json").read_bytes()


def test_the_values_of_a_raw_tensor_are_little_endian_and_padded_with_zeros(tmp_path: Path) -> None:
    save(tmp_path / "p", {"h": np.array([1, -2], np.float16), "s": np.array([[1], [-2]], np.float32)})
    data = (tmp_path / "p" / "model-00001-of-00001.llq").read_bytes()
    assert data[256:512] == bytes.fromhex("003C 00C0") + bytes(252)
    assert data[512:] == bytes.fromhex("0000803F 000000C0") + bytes(248)


@pytest.mark.parametrize("name", TENSORS)
def test_every_dtype_is_written_so_that_it_is_read_back(tmp_path: Path, name: str) -> None:
    sample_packages.write_tensors(tmp_path / "p")
    expected = TENSORS[name]
    values = expected.dequantize() if isinstance(expected, PackedTensor) else expected.astype(np.float32)
    with llq_format.open(tmp_path / "p") as package:
        np.testing.assert_array_equal(package.get_tensor(name), values)


def test_arrays_in_any_memory_and_byte_order_are_written_the_same_way(tmp_path: Path) -> None:
    values = np.arange(15, dtype=np.float32).reshape(3, 5)
    wide = np.repeat(np.repeat(values, 2, 0), 2, 1)
    orders = [values, np.asfortranarray(values), wide[::2, ::2], values.astype(">f4"), values[::-1][::-1]]
    for number, array in enumerate(orders):
        save(tmp_path / f"{number}", {"w": array})
        assert tampering.contents(tmp_path / f"{number}") == tampering.contents(tmp_path / "0")


def test_blocks_in_any_memory_and_byte_order_are_written_the_same_way(tmp_path: Path) -> None:
    zero_points = BLOCKS.zero_points
    assert zero_points is not None
    wide = np.repeat(BLOCKS.packed, 2, 1)[:, ::2]
    orders = [
        BLOCKS,
        PackedTensor(
            BLOCKS.shape, BLOCKS.scales.astype(">f2"), zero_points, np.asfortranarray(BLOCKS.packed)
        ),
        PackedTensor(BLOCKS.shape, np.repeat(BLOCKS.scales, 2)[::2], np.repeat(zero_points, 2)[::2], wide),
    ]
    for number, blocks in enumerate(orders):
        save(tmp_path / f"{number}", {"w": blocks}, shard_limit=8192)
        assert tampering.contents(tmp_path / f"{number}") == tampering.contents(tmp_path / "0")


@pytest.mark.parametrize("limit", [512, 768, 1 << 28])
def test_rows_given_by_a_function_are_written_as_those_of_an_array(tmp_path: Path, limit: int) -> None:
    values = np.arange(600, dtype=np.float32).reshape(300, 2)
    plan = TensorPlan("w", "f16", (300, 2))
    write(tmp_path / "array", plan, values, shard_limit=limit)
    write(tmp_path / "rows", plan, lambda first, count: values[first : first + count], shard_limit=limit)
    assert tampering.contents(tmp_path / "rows") == tampering.contents(tmp_path / "array")
    write(tmp_path / "blocks", PLAN, BLOCKS, shard_limit=8192)
    write(tmp_path / "block rows", PLAN, BLOCKS.rows, shard_limit=8192)
    assert tampering.contents(tmp_path / "block rows") == tampering.contents(tmp_path / "blocks")


def test_a_large_raw_tensor_is_asked_for_in_runs(tmp_path: Path) -> None:
    requests: list[tuple[int, int]] = []

    def rows(first: int, count: int) -> NDArray[np.float32]:
        requests.append((first, count))
        return np.full((count, 1 << 20), first, np.float32)

    write(tmp_path / "p", TensorPlan("w", "f32", (9, 1 << 20)), rows)
    assert requests == [(0, 4), (4, 4), (8, 1)]
    assert tampering.rules(tmp_path / "p") == []


def test_saving_puts_tensors_into_canonical_order(tmp_path: Path) -> None:
    names = ["b", "a.c", "a_c", "a", "B2", "a0"]
    save(tmp_path / "p", dict.fromkeys(names, ONES))
    with llq_format.open(tmp_path / "p") as package:
        assert package.keys() == ["B2", "a", "a.c", "a0", "a_c", "b"]
    sample_packages.write_model(tmp_path / "m")
    with llq_format.open(tmp_path / "m") as package:
        assert package.keys()[:3] == ["embedding", "layers.0.attention_norm", "layers.0.attention.qkv"]


def test_other_files_are_written_named_and_hashed(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "p", stem="m")
    files = tampering.contents(tmp_path / "p")
    assert files.keys() == {
        "m-00001-of-00001.llq",
        "m.wgsl",
        "metadata.json",
        "program.json",
        "tokenizer.json",
    }
    assert files["tokenizer.json"] == sample_packages.TOKENIZER.tokenizer_json
    assert tampering.read(tmp_path / "p")["tokenizer"]["eos_token_ids"] == [2, 3]
    assert llq_format.validate(tmp_path / "p") == []


def test_parent_directories_are_created(tmp_path: Path) -> None:
    save(tmp_path / "new" / "and" / "p", {"w": ONES})
    assert tampering.rules(tmp_path / "new" / "and" / "p") == []


def test_the_directory_can_be_read_by_others(tmp_path: Path) -> None:
    save(tmp_path / "p", {"w": ONES})
    assert (tmp_path / "p").stat().st_mode & 0o777 == 0o755


def test_progress_counts_the_bytes_of_all_parts(tmp_path: Path) -> None:
    steps: list[int] = []
    with PackageWriter(tmp_path / "p", [PLAN], shard_limit=8192, progress=steps.append) as writer:
        writer.add("w", BLOCKS)
        metadata = writer.finish()
        assert writer.total_bytes == sum(shard.byte_length for shard in metadata.shards)
    assert sum(steps) == writer.total_bytes - 256 * len(metadata.shards)


# ---- The same bytes (LLQ-WRITE-1) ----

WRITE_AGAIN = """
import sys
from pathlib import Path
from tests.support.sample_packages import write_model, write_tensors
write_tensors(Path(sys.argv[1]))
write_model(Path(sys.argv[2]), extras={"b": 1, "a": {"d": 2, "c": 3}})
"""


def test_another_process_in_another_directory_writes_the_same_bytes(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "here")
    sample_packages.write_model(tmp_path / "model here", extras={"a": {"c": 3, "d": 2}, "b": 1})
    subprocess.run(  # noqa: S603  # our own interpreter and script
        [sys.executable, "-c", WRITE_AGAIN, "there", "model there"],
        check=True,
        cwd=tmp_path,
        timeout=seconds(60),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"},
    )
    assert tampering.contents(tmp_path / "there") == tampering.contents(tmp_path / "here")
    assert tampering.contents(tmp_path / "model there") == tampering.contents(tmp_path / "model here")


# ---- What is refused ----


def packed(**changes: Any) -> PackedTensor:
    """Return the blocks with some arrays replaced."""
    return PackedTensor(
        **{
            "shape": BLOCKS.shape,
            "scales": BLOCKS.scales,
            "zero_points": BLOCKS.zero_points,
            "packed": BLOCKS.packed,
            **changes,
        }
    )


def filled(scale: float) -> NDArray[np.float16]:
    return np.full(4, scale, np.float16)


def with_codes_outside() -> NDArray[np.uint8]:
    codes = BLOCKS.codes
    codes[3, 63, 63] = 1
    return pack(codes)


UNFIT: dict[str, tuple[Any, type[Exception], str]] = {
    "raw array for blocks": (np.ones((100, 70), np.float32), TypeError, "planned as int4_affine"),
    "symmetric blocks": (packed(zero_points=None), TypeError, "planned as int4_affine"),
    "other shape": (quantize(np.ones((100, 71), np.float32)), ValueError, "100, 71"),
    "transposed": (quantize(np.ones((70, 100), np.float32)), ValueError, "70, 100"),
    "scales too few": (packed(scales=BLOCKS.scales[:3]), ValueError, "scales"),
    "scales float32": (packed(scales=BLOCKS.scales.astype(np.float32)), TypeError, "scales"),
    "scales as bits": (packed(scales=BLOCKS.scales.view(np.uint16)), TypeError, "scales"),
    "zero points too many": (packed(zero_points=np.zeros(5, np.int8)), ValueError, "zero_points"),
    "zero points unsigned": (packed(zero_points=np.zeros(4, np.uint8)), TypeError, "zero_points"),
    "zero points wide": (packed(zero_points=np.zeros(4, np.int16)), TypeError, "zero_points"),
    "packed too short": (packed(packed=BLOCKS.packed[:, :2047]), ValueError, "packed"),
    "packed wide": (packed(packed=BLOCKS.packed.astype(np.int64)), TypeError, "packed"),
    "codes for packed": (packed(packed=BLOCKS.codes), ValueError, "packed"),
    "scale zero": (packed(scales=filled(0)), QuantizeError, "tensor 'w'.*scale"),
    "scale negative": (packed(scales=filled(-1)), QuantizeError, "tensor 'w'.*scale"),
    "scale subnormal": (packed(scales=filled(2**-15)), QuantizeError, "tensor 'w'.*scale"),
    "scale NaN": (packed(scales=filled(np.nan)), QuantizeError, "tensor 'w'.*scale"),
    "scale infinite": (packed(scales=filled(np.inf)), QuantizeError, "tensor 'w'.*scale"),
    "weights too large": (packed(scales=filled(60000)), QuantizeError, "tensor 'w'.*65504"),
    "code outside": (packed(packed=with_codes_outside()), QuantizeError, "tensor 'w'.*outside"),
}


@pytest.mark.parametrize("case", UNFIT)
@pytest.mark.parametrize("lazily", [False, True])
def test_unfit_blocks_are_refused_and_nothing_is_left(tmp_path: Path, case: str, lazily: bool) -> None:  # noqa: FBT001  # a parameter of the test
    value, error, message = UNFIT[case]
    with nothing_left(tmp_path), pytest.raises(error, match=message):
        write(tmp_path / "p", PLAN, (lambda _first, _count: value) if lazily else value)


def test_a_code_outside_the_matrix_is_noticed_in_every_edge_block(tmp_path: Path) -> None:
    for block, row, col in ((1, 0, 6), (1, 63, 63), (2, 36, 0), (3, 36, 0), (3, 0, 6)):
        codes = BLOCKS.codes
        codes[block, row, col] = 8
        with pytest.raises(QuantizeError, match="outside"):
            write(tmp_path / "p", PLAN, packed(packed=pack(codes)))


UNFIT_RAW: dict[str, tuple[Any, type[Exception], str]] = {
    "other shape": (np.ones((3, 4), np.float32), ValueError, "3, 4"),
    "transposed": (np.ones((2, 3), np.float32), ValueError, "2, 3"),
    "flat": (np.ones(6, np.float32), ValueError, "6"),
    "blocks": (quantize(np.ones((3, 2), np.float32)), TypeError, "planned as f16"),
    "integers": (np.ones((3, 2), np.int32), TypeError, "array of floats"),
    "complex": (np.ones((3, 2), np.complex64), TypeError, "array of floats"),
    "objects": (np.ones((3, 2), object), TypeError, "array of floats"),
    "NaN": (np.array([[1, 1], [1, np.nan], [1, 1]], np.float32), QuantizeError, "'w', row 1, column 1"),
    "infinite": (np.array([[1, 1], [1, 1], [-np.inf, 1]]), QuantizeError, "'w', row 2, column 0"),
    "beyond f16": (np.array([[1.0, 70000], [1, 1], [1, 1]]), QuantizeError, "'w', row 0, column 1.*70000"),
}


@pytest.mark.parametrize("case", UNFIT_RAW)
@pytest.mark.parametrize("lazily", [False, True])
def test_unfit_values_are_refused_and_nothing_is_left(tmp_path: Path, case: str, lazily: bool) -> None:  # noqa: FBT001  # a parameter of the test
    value, error, message = UNFIT_RAW[case]
    with nothing_left(tmp_path), pytest.raises(error, match=message):
        write(
            tmp_path / "p",
            TensorPlan("w", "f16", (3, 2)),
            (lambda _first, _count: value) if lazily else value,
        )


@pytest.mark.parametrize("value", [0.0, -1.0, 1.5, np.nan])
def test_frequencies_of_a_model_outside_0_to_1_are_refused(tmp_path: Path, value: float) -> None:
    frequencies = np.array([value], np.float32)
    tensors = {**model_tensors(sample_packages.MODEL, 1), "rope.inv_freq": frequencies}
    with nothing_left(tmp_path), pytest.raises(QuantizeError, match=r"'rope.inv_freq', row 0"):
        save(tmp_path / "p", tensors, model=sample_packages.MODEL)


def test_a_tensor_of_that_name_without_a_model_is_any_tensor(tmp_path: Path) -> None:
    save(tmp_path / "p", {"rope.inv_freq": -ONES})
    assert tampering.rules(tmp_path / "p") == []


def test_a_weight_refused_while_quantizing_names_the_tensor(tmp_path: Path) -> None:
    def rows(first: int, count: int) -> PackedTensor:
        return quantize(np.full((count, 70), np.nan if first else 1, np.float32))

    with pytest.raises(QuantizeError, match=r"tensor 'w'.*rows from 64.*row 0"):
        write(tmp_path / "p", PLAN, rows, shard_limit=8192)


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble, np.int8, np.complex64])
def test_saving_does_not_choose_a_dtype(tmp_path: Path, dtype: type) -> None:
    with nothing_left(tmp_path), pytest.raises(TypeError, match="float16, float32 or a PackedTensor"):
        save(tmp_path / "p", {"w": np.ones(3, dtype)})


DEEP: dict[str, Any] = {}
for _ in range(32):
    DEEP = {"deeper": DEEP}
ILLEGAL_PLANS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "no tensors": ({}, {}, "META-5"),
    "three dimensions": ({"w": np.ones((2, 2, 2), np.float32)}, {}, "META-5"),
    "no dimension": ({"w": np.array(1, np.float32)}, {}, "META-5"),
    "no rows": ({"w": np.ones((0, 3), np.float32)}, {}, "META-5"),
    "no columns": ({"w": np.ones((3, 0), np.float32)}, {}, "META-5"),
    "name": ({"w/../x": ONES}, {}, "TENSOR-1"),
    "names that differ in case": ({"w": ONES, "W": ONES}, {}, "TENSOR-2"),
    "stem": ({"w": ONES}, {"stem": "../x"}, "META-5"),
    "limit": ({"w": ONES}, {"shard_limit": 1000}, "META-5"),
    "large limit": ({"w": ONES}, {"shard_limit": 1 << 32}, "META-5"),
    "empty module": ({"w": ONES}, {"module": b""}, "META-5"),
    "program without module": ({"w": ONES}, {"program": b"{}"}, "PKG-5"),
    "token id": (
        {"w": ONES},
        {"tokenizer": TokenizerFiles(b"{}", -1, (), None)},
        "META-5",
    ),
    "tensors of another model": ({"w": ONES}, {"model": sample_packages.MODEL}, "TENSOR-3"),
    "number that reads as a large integer": ({"w": ONES}, {"extras": {"x": 1e17}}, "JSON-5"),
    "deep extras": ({"w": ONES}, {"extras": DEEP}, "JSON-4"),
    "long extras": ({"w": ONES}, {"extras": {"x": "x" * (1 << 24)}}, "PKG-2"),
}


@pytest.mark.parametrize("case", ILLEGAL_PLANS)
def test_a_plan_that_breaks_a_rule_is_refused_before_anything_is_written(tmp_path: Path, case: str) -> None:
    tensors, options, rule = ILLEGAL_PLANS[case]
    with nothing_left(tmp_path), pytest.raises(LLQError, match=f"LLQ-{rule}:"):
        save(tmp_path / "p", tensors, **options)


@pytest.mark.parametrize("value", [np.nan, 1 << 60, "\ud800", b"bytes", {1: 2}, ONES])
def test_extras_that_json_cannot_hold_are_refused_before_anything_is_written(
    tmp_path: Path, value: object
) -> None:
    with nothing_left(tmp_path), pytest.raises(ValueError):  # noqa: PT011  # rfc8785's own words
        save(tmp_path / "p", {"w": ONES}, extras={"x": value})


def test_a_tensor_that_fits_no_shard_is_refused_by_name(tmp_path: Path) -> None:
    with nothing_left(tmp_path), pytest.raises(ShardLimitError, match="tensor w"):
        save(tmp_path / "p", {"w": np.ones((2, 100), np.float32)}, shard_limit=512)


def test_tensors_out_of_canonical_order_are_refused(tmp_path: Path) -> None:
    plans = [TensorPlan(name, "f32", (3,)) for name in ("b", "a")]
    with pytest.raises(LLQError, match="LLQ-CANON-3"):
        PackageWriter(tmp_path / "p", plans)


def test_tensors_are_added_as_planned(tmp_path: Path) -> None:
    plans = [TensorPlan(name, "f32", (3,)) for name in ("a", "b")]
    with nothing_left(tmp_path), PackageWriter(tmp_path / "p", plans) as writer:
        with pytest.raises(ValueError, match="'b' is out of order: the plan has 'a'"):
            writer.add("b", ONES)
        writer.add("a", ONES)
        with pytest.raises(ValueError, match="'a' is out of order"):
            writer.add("a", ONES)
        with pytest.raises(ValueError, match="'b' was planned but not added"):
            writer.finish()
        writer.add("b", ONES)
        with pytest.raises(ValueError, match="no further tensor"):
            writer.add("c", ONES)


def test_a_refused_name_or_shape_can_be_corrected(tmp_path: Path) -> None:
    with PackageWriter(tmp_path / "p", [TensorPlan("w", "f32", (3,))]) as writer:
        with pytest.raises(ValueError, match="shape"):
            writer.add("w", np.ones(4, np.float32))
        writer.add("w", ONES)
        writer.finish()
    assert tampering.rules(tmp_path / "p") == []


def test_a_tensor_that_failed_halfway_cannot_be_added_again(tmp_path: Path) -> None:
    def fails(first: int, count: int) -> PackedTensor:
        if first:
            raise InterruptedError
        return BLOCKS.rows(first, count)

    with nothing_left(tmp_path), PackageWriter(tmp_path / "p", [PLAN], shard_limit=8192) as writer:
        with pytest.raises(InterruptedError):
            writer.add("w", fails)
        with pytest.raises(ValueError, match="create a new PackageWriter"):
            writer.add("w", BLOCKS)
        with pytest.raises(ValueError, match="create a new PackageWriter"):
            writer.finish()


# ---- Whole or not at all (LLQ-WRITE-2) ----


def in_child(action: Callable[[], object]) -> int:
    """Run an action in a forked process and return how that ended, as `subprocess` states it."""
    process = os.fork()
    if process == 0:
        try:
            action()
        except OSError:
            os._exit(3)
        except BaseException:  # noqa: BLE001  # nothing may return into pytest
            os._exit(4)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def die(*_: object) -> NDArray[np.float32]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def unfinished(parent: Path) -> list[str]:
    """Return the files called metadata.json anywhere below a directory."""
    return [str(path.relative_to(parent)) for path in parent.rglob("metadata.json")]


def test_an_exception_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def interrupted(first: int, count: int) -> NDArray[np.float32]:
        if first:
            raise KeyboardInterrupt
        return np.ones(count, np.float32)

    with nothing_left(tmp_path), pytest.raises(KeyboardInterrupt):
        write(tmp_path / "p", TensorPlan("w", "f32", (300,)), interrupted, shard_limit=512)


def test_a_kill_in_the_middle_leaves_no_metadata(tmp_path: Path) -> None:
    plan = TensorPlan("w", "f32", (300,))

    def rows(first: int, count: int) -> NDArray[np.float32]:
        return die() if first else np.ones(count, np.float32)

    assert in_child(lambda: write(tmp_path / "p", plan, rows, shard_limit=512)) == -signal.SIGKILL
    assert not (tmp_path / "p").exists()
    assert unfinished(tmp_path) == []


STEPS = ("fsync", "rename", "mkdir", "open", "rmdir", "unlink", "chmod")


def kill_at(step: int, write_package: Callable[[], object]) -> int:
    """Run a writer in a forked process that is killed before its `step`-th operation on the file system."""

    def run() -> None:
        countdown = [step]

        def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
            def replacement(*arguments: Any, **options: Any) -> Any:
                countdown[0] -= 1
                return die() if countdown[0] < 0 else operation(*arguments, **options)

            return replacement

        for name in STEPS:
            setattr(os, name, counted(getattr(os, name)))
        write_package()

    return in_child(run)


@pytest.mark.slow
def test_a_kill_before_any_operation_leaves_all_or_nothing(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "expected")
    expected = tampering.contents(tmp_path / "expected")
    complete = []
    for step in range(100):
        parent = tmp_path / f"{step}"
        parent.mkdir()
        status = kill_at(step, lambda parent=parent: sample_packages.write_tensors(parent / "p"))  # type: ignore[misc]  # mypy sees no default in a lambda
        assert status in (0, -signal.SIGKILL)
        exists = (parent / "p" / "metadata.json").exists()
        assert not exists or tampering.contents(parent / "p") == expected
        complete.append(exists)
        if status == 0:
            break
    assert complete[-1]
    assert complete == sorted(complete)  # once there, it stays
    assert len(complete) > 10


@pytest.mark.slow
def test_a_kill_before_any_operation_of_overwriting_loses_neither_package(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "new")
    save(tmp_path / "old", {"w": ONES})
    new, old = tampering.contents(tmp_path / "new"), tampering.contents(tmp_path / "old")
    for step in range(100):
        target = tmp_path / f"{step}" / "p"
        save(target, {"w": ONES})
        status = kill_at(
            step,
            lambda target=target: sample_packages.write_tensors(target, overwrite=True),  # type: ignore[misc]  # mypy sees no default in a lambda
        )
        assert status in (0, -signal.SIGKILL)
        assert tampering.contents(target) in (old, new)
        if status == 0:
            break
    assert tampering.contents(target) == new
    assert [path.name for path in target.parent.iterdir()] == ["p"]


def test_everything_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, rename = os.fsync, os.rename

    def recorded_fsync(descriptor: int) -> None:
        fsync(descriptor)
        events.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)

    def recorded_rename(source: Path, target: Path) -> None:
        events.append("rename")
        rename(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "rename", recorded_rename)
    sample_packages.write_model(tmp_path / "p", stem="m")
    *written, directory, renamed, parent = events
    assert sorted(written) == sorted(path.name for path in (tmp_path / "p").iterdir())
    assert (directory, renamed, parent) == ("new", "rename", tmp_path.name)


def test_an_existing_target_is_refused_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("directory", "file", "dangling"):
        with nothing_left(tmp_path), pytest.raises(FileExistsError, match="exists"):
            save(tmp_path / name, {"w": ONES})


def test_a_target_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with PackageWriter(tmp_path / "p", [TensorPlan("w", "f32", (3,))]) as writer:
        writer.add("w", ONES)
        save(tmp_path / "q", {"other": ONES})
        (tmp_path / "q").rename(tmp_path / "p")
        with pytest.raises(FileExistsError):
            writer.finish()
    with llq_format.open(tmp_path / "p") as package:
        assert package.keys() == ["other"]
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_overwriting_replaces_the_whole_directory(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "p")
    save(tmp_path / "p", {"w": ONES}, overwrite=True)
    assert list(tampering.contents(tmp_path / "p")) == ["metadata.json", "model-00001-of-00001.llq"]
    assert tampering.rules(tmp_path / "p") == []
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_overwriting_keeps_the_old_package_until_the_new_one_is_finished(tmp_path: Path) -> None:
    save(tmp_path / "p", {"w": ONES})
    before = tampering.contents(tmp_path / "p")
    with pytest.raises(QuantizeError):
        save(tmp_path / "p", {"w": ONES * np.nan}, overwrite=True)
    assert tampering.contents(tmp_path / "p") == before
    with PackageWriter(tmp_path / "p", [TensorPlan("v", "f32", (3,))], overwrite=True) as writer:
        writer.add("v", ONES)
        assert tampering.contents(tmp_path / "p") == before
        writer.finish()
    assert tampering.contents(tmp_path / "p") != before
    assert [path.name for path in tmp_path.iterdir()] == ["p"]


def test_overwriting_keeps_the_old_package_if_the_new_one_cannot_be_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "p", {"w": ONES})
    before = tampering.contents(tmp_path / "p")
    rename = os.rename

    def fail(source: Path, target: Path) -> None:
        if source.name == "new":
            raise OSError(5, "a failing disk")
        rename(source, target)

    monkeypatch.setattr(work_directory, "exchange", lambda _first, _second: False)
    monkeypatch.setattr(os, "rename", fail)
    with nothing_left(tmp_path), pytest.raises(OSError, match="a failing disk"):
        save(tmp_path / "p", {"v": ONES}, overwrite=True)
    assert tampering.contents(tmp_path / "p") == before


def test_overwriting_replaces_nothing_but_packages(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").write_text("x")
    for name in ("home", "home/thesis.txt"):
        with nothing_left(tmp_path), pytest.raises(FileExistsError, match="not a package"):
            save(tmp_path / name, {"w": ONES}, overwrite=True)


def test_a_directory_that_cannot_be_written_to_is_an_error_of_the_system(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)

    def as_nobody() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        save(locked / "p", {"w": ONES})

    assert in_child(as_nobody) == 3  # OSError
    assert list(locked.iterdir()) == []
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        save(tmp_path / "file" / "p", {"w": ONES})


def test_a_disk_that_fills_up_is_an_error_of_the_system_and_leaves_nothing(tmp_path: Path) -> None:
    def on_a_small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        save(tmp_path / "p", {"w": np.ones(10_000, np.float32)})

    with nothing_left(tmp_path):
        assert in_child(on_a_small_disk) == 3  # OSError


def test_the_target_may_be_relative_and_the_working_directory_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with PackageWriter("p", [TensorPlan("w", "f32", (3,))]) as writer:
        monkeypatch.chdir(tmp_path / "elsewhere")
        writer.add("w", ONES)
        writer.finish()
    assert tampering.rules(tmp_path / "p") == []


def test_the_minimum_limit_of_the_tests_is_the_minimum(tmp_path: Path) -> None:
    for tensors in ({"w": tensor(1, "int4_affine", (70, 200))}, {"w": tensor(1, "f32", (3, 333))}):
        save(tmp_path / f"{least_limit(tensors)}", tensors, shard_limit=least_limit(tensors))
        with pytest.raises(ShardLimitError):
            save(tmp_path / "p", tensors, shard_limit=least_limit(tensors) - 256)
