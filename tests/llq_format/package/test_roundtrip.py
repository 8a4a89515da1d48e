"""Every invented package is valid, reads as the spec says, and is written again byte for byte."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import llq_format
from llq_format import Package, PackageWriter, PackedTensor, TensorPlan, TokenizerFiles, validate
from llq_format.format.layout import is_int4
from tests.support import by_the_letter, sample_packages, tampering
from tests.support.invented_packages import Invented, Tensor, packages

pytestmark = pytest.mark.slow


@contextmanager
def written(invented: Invented) -> Iterator[Path]:
    """Yield the directory of an invented package, for as long as the block lasts."""
    with TemporaryDirectory() as parent:
        invented.write(Path(parent) / "package")
        yield Path(parent) / "package"


def stored_tensors(package: Package) -> dict[str, Tensor]:
    """Return the tensors as they were given to the writer; narrowing undoes the widening of f16."""
    tensors: dict[str, Tensor] = {}
    for name in package:
        dtype = package.entry(name).dtype
        if is_int4(dtype):
            tensors[name] = package.get_packed(name)
        else:
            tensors[name] = package.get_tensor(name).astype(np.float16 if dtype == "f16" else np.float32)
    return tensors


def options_of(package: Package) -> dict[str, Any]:
    """Return the other arguments of the writer."""
    metadata = package.metadata
    files = {
        kind: (package.directory / entry.file).read_bytes()
        for kind, entry in (("module", metadata.module), ("program", metadata.program))
        if entry is not None
    }
    if metadata.tokenizer is not None:
        t = metadata.tokenizer
        data = (package.directory / t.file).read_bytes()
        files["tokenizer"] = TokenizerFiles(data, t.bos_token_id, t.eos_token_ids, t.chat_template)  # type: ignore[assignment]  # one of three
    return {
        "stem": metadata.stem,
        "shard_limit": metadata.shard_limit,
        "model": metadata.model,
        "extras": metadata.extras,
        **files,
    }


@settings(max_examples=60)
@given(packages())
def test_what_is_written_is_valid(invented: Invented) -> None:
    with written(invented) as directory:
        findings = [finding for finding in validate(directory) if finding.severity == "error"]
        assert findings == []
        warned = invented.options["model"] is not None and invented.options["tokenizer"] is None
        assert [finding.rule for finding in validate(directory)] == ["LLQ-PKG-10"] * warned


@settings(max_examples=60)
@given(packages())
def test_what_is_read_and_written_again_is_the_same_byte_for_byte(invented: Invented) -> None:
    with written(invented) as directory:
        copy = directory.parent / "again"
        with llq_format.open(directory) as package:
            Invented(stored_tensors(package), options_of(package)).write(copy)
        assert tampering.contents(copy) == tampering.contents(directory)


@settings(max_examples=40)
@given(packages())
def test_what_is_read_is_what_the_bytes_mean_by_the_letter(invented: Invented) -> None:
    with written(invented) as directory, llq_format.open(directory) as package:
        for name, given_tensor in invented.tensors.items():
            actual = package.get_tensor(name)
            bits = actual.astype("<f4").view("<u4").ravel().tolist()
            assert bits == by_the_letter.weights(directory, name)
            dequantized = (
                given_tensor.dequantize()
                if isinstance(given_tensor, PackedTensor)
                else given_tensor.astype(np.float32)
            )
            np.testing.assert_array_equal(actual.view(np.uint32), dequantized.view(np.uint32))


@settings(max_examples=30)
@given(packages())
def test_every_byte_of_every_shard_belongs_to_the_preamble_or_one_part(invented: Invented) -> None:
    with written(invented) as directory:
        metadata = tampering.read(directory)
        occupied: list[list[int]] = [[] for _ in metadata["shards"]]
        for tensor in metadata["tensors"]:
            for part in tensor["parts"]:
                occupied[part["shard"]] += range(part["offset"], part["offset"] + part["byte_length"], 256)
        for entry, offsets in zip(metadata["shards"], occupied, strict=True):
            size = (directory / entry["file"]).stat().st_size
            assert sorted(offsets) == list(range(256, size, 256))
            assert size <= metadata["shard_limit"]


def test_extras_of_tensors_survive(tmp_path: Path) -> None:
    plans = [
        TensorPlan("a", "f32", (3,), {"note": [None, "x"]}),
        TensorPlan("b", "f32", (3,)),
        TensorPlan("c", "f32", (3,), {}),
    ]
    with PackageWriter(tmp_path / "p", plans) as writer:
        for plan in plans:
            writer.add(plan.name, np.ones(3, np.float32))
        writer.finish()
    assert validate(tmp_path / "p") == []
    with llq_format.open(tmp_path / "p") as package:
        assert [package.entry(plan.name).extras for plan in plans] == [plan.extras for plan in plans]


def test_packages_of_all_kinds_are_invented() -> None:
    kinds: set[str] = set()

    @settings(max_examples=60)
    @given(packages())
    def collect(invented: Invented) -> None:
        with written(invented) as directory:
            metadata = tampering.read(directory)
        kinds.update(key for key in ("model", "tokenizer", "module", "program", "extras") if key in metadata)
        kinds.update(tensor["dtype"] for tensor in metadata["tensors"])
        kinds.add("several shards" if len(metadata["shards"]) > 1 else "one shard")
        for tensor in metadata["tensors"]:
            if len(tensor["parts"]) > 1:
                kinds.add("parts of blocks" if is_int4(tensor["dtype"]) else "parts of values")

    collect()
    dtypes = {"int4_affine", "int4_symmetric", "f16", "f32"}
    members = {"model", "tokenizer", "module", "program", "extras", "several shards", "one shard"}
    assert kinds == dtypes | members | {"parts of blocks", "parts of values"}


def test_the_sample_packages_have_the_shards_and_parts_that_tests_count_on(tmp_path: Path) -> None:
    metadata = sample_packages.write_tensors(tmp_path / "p")
    places = {t.name: [(part.shard, part.offset) for part in t.parts] for t in metadata.tensors}
    assert places == {"a": [(0, 256)], "b": [(1, 256), (2, 256), (3, 256)], "c": [(4, 256)], "d": [(4, 2816)]}
