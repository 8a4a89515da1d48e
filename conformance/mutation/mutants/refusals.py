"""Mutants that refuse conforming packages, and readers that return weights that they must withhold."""

from collections.abc import Callable
from typing import Any

import numpy as np

from llq_format.format.layout import SHARD_LIMIT_DEFAULT, is_int4
from llq_format.format.sections import sections
from llq_format.metadata.finding_codes import find_code
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata
from llq_format.package import reader

from .mutant import mutant
from .seam import Seam
from .validation import validate


def _refuse(seam: Seam, code: str, selects: Callable[[Metadata], bool]) -> None:
    """Report a finding of a code about metadata that `which` chooses."""

    def mutate(check: Callable[[Metadata], list[Finding]]) -> Callable[[Metadata], list[Finding]]:
        def mutated_check(metadata: Metadata) -> list[Finding]:
            invented = [_invented(code, Place(pointer=""))] if selects(metadata) else []
            return [*check(metadata), *invented]

        return mutated_check

    for module in (validate, reader):
        seam.wrap(module, "check_index", mutate)


@mutant("extensions that are used, but not required, refused", "EXT-3", "accept")
def unknown_extensions_refused(seam: Seam) -> None:
    _refuse(seam, "extension-unknown", lambda metadata: bool(metadata.extensions_used))


@mutant("extras refused", "META-1", "accept")
def extras_refused(seam: Seam) -> None:
    def extras(metadata: Metadata) -> bool:
        return metadata.extras is not None or any(tensor.extras is not None for tensor in metadata.tensors)

    _refuse(seam, "unknown-member", extras)


@mutant("a shard_limit above 256 MiB refused", "META-5", "accept")
def great_shard_limit_refused(seam: Seam) -> None:
    _refuse(seam, "above-maximum", lambda metadata: metadata.shard_limit > SHARD_LIMIT_DEFAULT)


@mutant("several shards refused", "SHARD-4", "accept")
def several_shards_refused(seam: Seam) -> None:
    _refuse(seam, "shard-count-wrong", lambda metadata: len(metadata.shards) > 1)


@mutant("packages without a model refused", "META-2", "accept")
def packages_without_model_refused(seam: Seam) -> None:
    _refuse(seam, "missing-member", lambda metadata: metadata.model is None)


@mutant("INT4 shapes that are not multiples of 64 refused", "PACK-6", "accept")
def ragged_shapes_refused(seam: Seam) -> None:
    def ragged(metadata: Metadata) -> bool:
        return any(is_int4(t.dtype) and (t.rows % 64 or t.cols % 64) for t in metadata.tensors)

    _refuse(seam, "tensor-shape-wrong", ragged)


@mutant("int4_symmetric refused", "DEQ-4", "accept")
def symmetric_refused(seam: Seam) -> None:
    def symmetric(metadata: Metadata) -> bool:
        return any(tensor.dtype == "int4_symmetric" for tensor in metadata.tensors)

    _refuse(seam, "tensor-dtype-wrong", symmetric)


@mutant("packages without a tokenizer refused", "PKG-10", "accept")
def tokenizer_required(seam: Seam) -> None:
    def without_tokenizer(metadata: Metadata) -> bool:
        return metadata.model is not None and metadata.tokenizer is None

    _refuse(seam, "file-missing", without_tokenizer)


def _invented(code: str, place: Place) -> Finding:
    """Return a finding of a code, with values of no meaning."""
    return Finding(code, place, dict.fromkeys(find_code(code).names, 0))


def _payload(seam: Seam, selects: Callable[[Any], bool]) -> None:
    """Report a weight that is too large in a part whose zero points, int8 [n], `which` chooses."""

    def mutate(check: Callable[..., Any]) -> Callable[..., Any]:
        def mutated_check(tensor: Any, part: Any, file: Any) -> Any:
            yield from check(tensor, part, file)
            spans = {s.name: s for s in sections(tensor.dtype, part.num_rows, tensor.cols)}
            if "zero_point" in spans:
                span = spans["zero_point"]
                data = np.frombuffer(file.read(part.offset + span.offset, span.size), np.int8)
                if selects(data):
                    yield _invented("weight-too-large", Place(file=file.name, tensor=tensor.name))

        return mutated_check

    seam.wrap(validate, "check_blocks", mutate)


@mutant("zero points outside 0 to 15 refused", "DEQ-4", "accept")
def zero_point_beyond_4_bits_refused(seam: Seam) -> None:
    _payload(seam, lambda zero_points: bool(((zero_points < 0) | (zero_points > 15)).any()))


@mutant("a zero point of −128 refused", "DEQ-4", "accept")
def zero_point_minus_128_refused(seam: Seam) -> None:
    _payload(seam, lambda zero_points: bool((zero_points == -128).any()))


@mutant("weights above 32768 refused", "DEQ-2", "accept")
def great_weights_refused(seam: Seam) -> None:
    from llq_format.validation import payload  # noqa: PLC0415 - its limit is the seam

    seam.replace(payload, "LARGEST_WEIGHT", 32768.0)


@mutant("files in the directory that are not shards refused", "PKG-9", "accept")
def other_files_refused(seam: Seam) -> None:
    def mutate(check: Callable[..., list[Finding]]) -> Callable[..., list[Finding]]:
        def mutated_check(metadata: Metadata, directory: Any) -> list[Finding]:
            names = {"metadata.json", *(entry.file for entry in metadata.files)}
            strays = [entry.name for entry in directory.iterdir() if entry.name not in names]
            findings = [Finding("stray-shard", Place(file=name)) for name in strays]
            return [*check(metadata, directory), *findings]

        return mutated_check

    for module in (validate, reader):
        seam.wrap(module, "check_directory", mutate)


def _returned(seam: Seam, drop: Callable[[Finding], bool]) -> None:
    """Overlook findings in reading tensors, though validation makes them."""

    def mutate(check: Callable[..., Any]) -> Callable[..., list[Finding]]:
        return lambda *arguments: [finding for finding in check(*arguments) if not drop(finding)]

    seam.wrap(reader, "check_part", mutate)


@mutant("tensors returned without any check of their bytes", "READ-4", "withhold")
def reader_unchecked(seam: Seam) -> None:
    _returned(seam, lambda _: True)


@mutant("tensors returned without a check of their hash", "READ-4", "withhold")
def reader_hash_unchecked(seam: Seam) -> None:
    _returned(seam, lambda finding: finding.entry.stage == "hashes")


@mutant("tensors returned after a check of their hash alone", "READ-4", "withhold")
def reader_hash_alone(seam: Seam) -> None:
    _returned(seam, lambda finding: finding.entry.stage != "hashes")


@mutant("tensors returned without a check of scales", "READ-4", "withhold")
def reader_scales_unchecked(seam: Seam) -> None:
    _returned(seam, lambda finding: finding.rule in ("LLQ-DEQ-1", "LLQ-DEQ-2"))


@mutant("tensors returned without a check of their slot", "READ-4", "withhold")
def reader_slot_unchecked(seam: Seam) -> None:
    _returned(seam, lambda finding: finding.entry.stage == "shards")


@mutant("raw tensors returned without a check of their values", "READ-4", "withhold")
def reader_raw_unchecked(seam: Seam) -> None:
    _returned(seam, lambda finding: finding.rule in ("LLQ-RAW-2", "LLQ-MODEL-6"))


def _opened(seam: Seam, name: str, result: Any) -> None:
    """Overlook what a stage finds in opening a package for single tensors, though validation finds it."""
    seam.replace(reader, name, lambda *_: result)


@mutant("tensors returned without a check of the relations between members", "READ-7", "withhold")
def reader_index_unchecked(seam: Seam) -> None:
    _opened(seam, "check_index", [])


@mutant("tensors returned without a check of the directory", "READ-7", "withhold")
def reader_directory_unchecked(seam: Seam) -> None:
    _opened(seam, "check_directory", [])


@mutant("tensors returned without a check of the digest", "READ-7", "withhold")
def reader_digest_unchecked(seam: Seam) -> None:
    def mutate(check: Callable[..., Any]) -> Callable[..., Any]:
        def mutated(data: bytes) -> Any:
            metadata, findings = check(data)
            return metadata, [finding for finding in findings if finding.rule != "LLQ-CANON-2"]

        return mutated

    seam.wrap(reader, "check_text", mutate)
