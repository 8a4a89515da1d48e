"""Invalid: packages with two errors; a reader MUST name the first (READ-1)."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

from vectors.cases.control import (
    BIAS,
    BIAS_TENSOR,
    SCALE,
    SLOT,
    ZERO_POINT,
    control,
    control_files,
    control_model,
    control_raw,
    control_shards,
)
from vectors.cases.encoding import noted, replaced
from vectors.kit.package import Package, Sealed, assemble
from vectors.kit.registry import invalid
from vectors.kit.tensor import Int4


@invalid("LLQ-JSON-1", "LLQ-JSON-2", "LLQ-READ-1")
def not_utf_8_and_not_json() -> Sealed:
    """metadata.json has a byte order mark and a trailing newline."""
    return replaced(b"\xef\xbb\xbf" + control_raw().text() + b"\n")


@invalid("LLQ-JSON-4", "LLQ-JSON-2", "LLQ-READ-1")
def deep_array_that_is_not_closed() -> Sealed:
    """metadata.json is 40 opening brackets: JSON-4 comes before JSON-2."""
    return replaced(b"[" * 40)


@invalid("LLQ-JSON-4", "LLQ-JSON-2", "LLQ-READ-1")
def deep_array_behind_a_fault() -> Package:
    """An extra comma comes before an array that is 40 levels deep."""
    return noted(b'[1,,2],"p":' + b"[" * 40 + b"]" * 40)


@invalid("LLQ-JSON-2", "LLQ-JSON-3", "LLQ-READ-1")
def duplicate_member_in_a_cut_text() -> Sealed:
    """A member occurs twice, and the text ends early, long after it."""
    return replaced(control_raw().respell('"offset":512', '"offset":512,"offset":512').text()[:-1])


@invalid("LLQ-JSON-3", "LLQ-JSON-5", "LLQ-READ-1")
def huge_number_before_a_duplicate() -> Package:
    """A number is not finite, and a member after it occurs twice."""
    return noted(b'1e400,"note":0')


@invalid("LLQ-JSON-4", "LLQ-META-3", "LLQ-READ-1")
def deep_root() -> Sealed:
    """The root is an array of 100 levels."""
    return replaced(b"[" * 100 + b"]" * 100)


@invalid("LLQ-JSON-6", "LLQ-VER-1", "LLQ-READ-1")
def surrogate_in_the_version() -> Package:
    """The version is a lone surrogate."""
    return control_raw().respell('"version":"1.0"', '"version":"\\ud800"')


@invalid("LLQ-VER-1", "LLQ-EXT-1", "LLQ-READ-1")
def version_and_extension() -> Package:
    """The version is 1.1, and an unknown extension is required."""
    package = (
        control_raw().set("/extensions_required", ["XX_sparsity"]).set("/extensions_used", ["XX_sparsity"])
    )
    return package.set("/version", "1.1")


UNUSABLE: dict[str, Any] = {"is a number": 1, "is a list": ["2.0"], "is null": None, "is missing": ...}


@invalid("LLQ-EXT-1", "LLQ-META-3", "LLQ-READ-1", cases=UNUSABLE)
def extension_required_and_version(value: Any) -> Package:
    """An unknown extension is required, and the version {}, which is an error of the schema."""
    package = control_raw().set("/extensions_required", ["XX_sparsity"])
    return package.remove("/version") if value is ... else package.set("/version", value)


@invalid("LLQ-VER-1", "LLQ-META-3", "LLQ-READ-1")
def version_and_required_extensions_that_are_no_list() -> Package:
    """The version is 2.0, and extensions_required is an object."""
    return control_raw().set("/version", "2.0").set("/extensions_required", {"XX_sparsity": {}})


@invalid("LLQ-META-3", "LLQ-META-5", "LLQ-READ-1")
def extension_of_a_bad_name_that_is_no_object() -> Package:
    """The data of an extension are a number, and its name breaks the pattern of names."""
    return control_raw().set("/extensions", {"acme": 1})


@invalid("LLQ-META-1", "LLQ-META-2", "LLQ-READ-1")
def misspelled_member() -> Package:
    """The member shard_limit is called shardLimit: one member is unknown, and one is missing."""
    package = control_raw().set("/shardLimit", 268_435_456)
    return package.remove("/shard_limit")


@invalid("LLQ-META-2", "LLQ-META-5", "LLQ-READ-1")
def missing_behind_out_of_range() -> Package:
    """A dimension of the first tensor is 0, and the second tensor has no dtype."""
    return control_raw().set("/tensors/0/shape/0", 0).remove("/tensors/1/dtype")


@invalid("LLQ-META-5", "LLQ-TENSOR-1", "LLQ-READ-1")
def bad_name_before_out_of_range() -> Package:
    """The name of the first tensor is empty, and a dimension of the second is 0."""
    return control_raw().set("/tensors/0/name", "").set("/tensors/1/shape/0", 0)


@invalid("LLQ-CANON-1", "LLQ-CANON-2", "LLQ-READ-1")
def pretty_printed_afterwards() -> Sealed:
    """White space was added to a good metadata.json, and its digest no longer matches."""
    return replaced(control_raw().text().replace(b'"stem":', b'"stem": '))


@invalid("LLQ-CANON-2", "LLQ-MODEL-4", "LLQ-READ-1")
def digest_and_model() -> Package:
    """The digest is wrong, and fp16_layers is larger than the number of layers."""
    return control_model().set("/model/activations/fp16_layers", 2).set("/digest", "f" * 64)


@invalid("LLQ-TENSOR-5", "LLQ-TENSOR-6", "LLQ-READ-1")
def norm_in_int4() -> Package:
    """A norm of a model is int4_symmetric, which neither its role nor its one dimension allows."""
    package = control_model()
    return package.set("/tensors/1/dtype", "int4_symmetric")


BROKEN_PARTS = {
    "a shard that does not exist": ("LLQ-PART-3", "shard", 7),
    "a length of 5 bytes": ("LLQ-PART-5", "byte_length", 5),
    "an offset outside its shard": ("LLQ-PART-6", "offset", 1 << 20),
}


def flat_matrix_whose_part_has(change: tuple[str, int]) -> Package:
    """An INT4 tensor has one dimension, and its part has {}."""
    member, value = change
    return control().set("/tensors/1/shape", [40]).set(f"/tensors/1/parts/0/{member}", value)


def flat_matrix_and_part_that_has(change: tuple[str, int]) -> Package:
    """An INT4 tensor has one dimension, and the part of another tensor has {}."""
    member, value = change
    return control().set("/tensors/1/shape", [40]).set(f"/tensors/0/parts/0/{member}", value)


for words, (rule, *broken) in BROKEN_PARTS.items():
    for case in (flat_matrix_whose_part_has, flat_matrix_and_part_that_has):
        invalid("LLQ-TENSOR-6", rule, "LLQ-READ-1", cases={words: broken})(case)


@invalid("LLQ-TENSOR-7", "LLQ-PART-3", "LLQ-READ-1")
def huge_tensor_and_an_unknown_shard() -> Package:
    """A tensor has more than 2^53 - 1 elements, and the part of another tensor is in shard 7."""
    package = control_raw().set("/tensors/1/shape", [2**31 - 1, 2**31 - 1])
    return package.set("/tensors/0/parts/0/shard", 7)


@invalid("LLQ-TENSOR-3", "LLQ-PART-3", "LLQ-READ-1")
def missing_tensor_and_an_unknown_shard() -> Package:
    """A model lacks a tensor, its matrix has one dimension, and a part is in shard 7."""
    package = control_model().set("/tensors/2/shape", [8]).set("/tensors/0/parts/0/shard", 7)
    return package.remove("/tensors/1")


@invalid("LLQ-PART-4", "LLQ-PART-6", "LLQ-READ-1")
def unaligned_and_outside() -> Package:
    """The offset of a part is not a multiple of 256, and the part ends after its shard."""
    return control_raw().set("/tensors/1/parts/0/offset", 3327)


@invalid("LLQ-PKG-6", "LLQ-PKG-8", "LLQ-READ-1")
def long_shard_and_missing_tokenizer() -> Sealed:
    """A shard is too long, and the tokenizer is missing."""
    sealed = control_files().seal()
    sealed.files["vector-00001-of-00001.llq"] += b"\0"
    del sealed.files["tokenizer.json"]
    return sealed


@invalid("LLQ-SHARD-6", "LLQ-REC-1", "LLQ-READ-1")
def record_before_preamble() -> Package:
    """The record of the first shard and the preamble of the second are wrong: SHARD-6 comes first."""
    return control_shards().poke(256, struct.pack("<I", 32)).poke(255, b"\1", index=1)


@invalid("LLQ-REC-1", "LLQ-RAW-1", "LLQ-READ-1")
def raw_padding_before_a_slot() -> Package:
    """The padding of a raw tensor and a slot after it are wrong: REC-1 comes before RAW-1."""
    return control().poke(BIAS + 200, b"\1").poke(SLOT, struct.pack("<I", 32))


@invalid("LLQ-REC-4", "LLQ-HASH-1", "LLQ-READ-1")
def slot_changed_afterwards() -> Sealed:
    """A reserved byte of a slot was changed after hashing."""
    sealed = control().seal()
    name = "vector-00001-of-00001.llq"
    data = bytearray(sealed.files[name])
    data[SLOT + 16] = 1
    sealed.files[name] = bytes(data)
    return sealed


@invalid("LLQ-HASH-1", "LLQ-DEQ-1", "LLQ-READ-1")
def scale_changed_afterwards() -> Sealed:
    """A scale was changed to NaN after hashing."""
    sealed = control().seal()
    name = "vector-00001-of-00001.llq"
    data = bytearray(sealed.files[name])
    data[SCALE : SCALE + 2] = b"\0\x7e"
    sealed.files[name] = bytes(data)
    return sealed


@invalid("LLQ-HASH-1", "LLQ-HASH-2", "LLQ-READ-1")
def tokenizer_and_part_changed() -> Sealed:
    """The tokenizer was changed after hashing, and the sha256 of a part is wrong."""
    sealed = control_files().set("/tensors/1/parts/0/sha256", "0" * 64).seal()
    sealed.files["tokenizer.json"] = b'{"model":[]}\n'
    return sealed


@invalid("LLQ-DEQ-1", "LLQ-DEQ-2", "LLQ-READ-1")
def bound_before_scale() -> Package:
    """The first block violates the bound of DEQ-2, and the scale of the second is zero."""
    matrix = Int4("weight", (1, 65), lambda _r, c: c & 15)
    return assemble([matrix]).poke(512, b"\0\x70\0\0")


@invalid("LLQ-DEQ-2", "LLQ-RAW-2", "LLQ-READ-1")
def raw_value_before_bound() -> Package:
    """A raw value is NaN, and a block after it violates the bound."""
    return control().poke(BIAS, b"\0\x7e").poke(SCALE, b"\xff\x7b").poke(ZERO_POINT, b"\0")


@invalid("LLQ-TENSOR-2", "LLQ-CANON-3", "LLQ-READ-1")
def same_name_out_of_order() -> Package:
    """Three tensors are out of order, and two of them have the same name."""
    return assemble([replace(BIAS_TENSOR, name=name) for name in ("b", "a", "b")])
