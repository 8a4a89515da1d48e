"""Mutants of validators that check a rule in part: a case of it is overlooked, or a limit is off by one."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from llq_format.format.record import SLOT
from llq_format.metadata import canonical_json, schema
from llq_format.metadata.findings import Finding, Place
from llq_format.validation import module, parts, shards, tensors

from .mutant import Mutant, add, mutant
from .seam import Seam
from .validation import Drop, blind, overlooking


def coded(*codes: str, **values: Any) -> Drop:
    """Choose findings by their code and by some values; 1 and true are different values."""

    def selects(finding: Finding) -> bool:
        return finding.code in codes and all(
            (type(finding.values[name]), finding.values[name]) == (type(value), value)
            for name, value in values.items()
        )

    return selects


def at(*parts_of_pointer: str) -> Drop:
    """Choose findings by a part of their place in the metadata."""
    return lambda finding: any(part in (finding.where.pointer or "") for part in parts_of_pointer)


def bits(selects: Callable[[int], bool]) -> Drop:
    """Choose findings about a number by its bits."""
    return lambda finding: selects(int(finding.values["bits"], 16))


def offset(selects: Callable[[int], bool]) -> Drop:
    """Choose findings by their byte offset in a file."""
    return lambda finding: selects(finding.where.offset or 0)


# fmt: off
PARTIAL: tuple[tuple[str, str, str, Drop], ...] = (
    ("byte-order-mark-accepted", "a byte order mark accepted", "JSON-1", coded("byte-order-mark")),
    ("white-space-accepted", "white space around the JSON value accepted", "JSON-2",
     coded("surrounding-white-space")),
    ("great-integers-accepted", "integers above 2^53 − 1 accepted", "JSON-5", coded("integer-too-large")),
    ("infinite-numbers-accepted", "1e400 accepted", "JSON-5", coded("number-not-finite")),
    ("true-as-integer", "true taken for an integer", "META-3", coded("wrong-type", value=True)),
    ("null-accepted", "null accepted everywhere", "META-3", coded("wrong-type", value=None)),
    ("minimum-unchecked", "minimum values not checked", "META-5",
     coded("below-minimum", "too-few-items")),
    ("maximum-unchecked", "maximum values not checked", "META-5",
     coded("above-maximum", "too-many-items")),
    ("choices-unchecked", "sets of choices not checked", "META-5",
     coded("unknown-choice", "wrong-constant")),
    ("patterns-unchecked", "patterns of strings not checked", "META-5", coded("pattern-mismatch")),
    ("multiples-unchecked", "multiples not checked", "META-5", coded("not-a-multiple")),
    ("unknown-tensor-members-accepted", "unknown members of tensors accepted", "META-1", at("/tensors")),
    ("unknown-root-members-accepted", "unknown members of the root object accepted", "META-1",
     lambda finding: (finding.where.pointer or "").count("/") == 1),
    ("unlisted-extensions-of-tensors", "extensions of tensors that are not listed accepted", "EXT-2",
     at("/tensors")),
    ("affine-not-required-accepted", "an affine attention that is used and not required accepted", "AFFINE-1",
     coded("affine-not-required")),
    ("affine-without-data-accepted", "an affine attention without data accepted", "AFFINE-1",
     coded("affine-data-missing")),
    ("affine-of-tensors-accepted", "data of the affine attention at tensors accepted", "AFFINE-1",
     coded("affine-data-of-a-tensor")),
    ("qk-norm-without-rope-accepted", "qk_norm without rope accepted", "MODEL-2",
     coded("qk-norm-without-rope")),
    ("temperature-with-rope-accepted", "temperature with rope accepted", "MODEL-2",
     coded("temperature-with-rope")),
    ("bos-id-unchecked", "bos_token_id not checked", "MODEL-5", at("bos_token_id")),
    ("eos-ids-unchecked", "eos_token_ids not checked", "MODEL-5", at("eos_token_ids")),
    ("shard-names-unchecked", "names of shards not checked", "PKG-4", coded("shard-name-wrong")),
    ("module-name-unchecked", "name of the module not checked", "PKG-4", coded("module-name-wrong")),
    ("program-without-module-accepted", "a program without a module accepted", "PKG-5",
     coded("program-without-module")),
    ("tokenizer-name-unchecked", "name of the tokenizer not checked", "PKG-5",
     coded("tokenizer-name-wrong")),
    ("missing-tensors-accepted", "missing tensors accepted", "TENSOR-3", coded("tensor-missing")),
    ("superfluous-tensors-accepted", "superfluous tensors accepted", "TENSOR-3", coded("tensor-superfluous")),
    ("first-row-unchecked", "first_row of parts not checked", "PART-1", coded("part-rows-not-contiguous")),
    ("last-row-unchecked", "missing rows after the last part accepted", "PART-1",
     coded("part-rows-not-complete")),
    ("short-files-accepted", "files shorter than stated accepted", "PKG-8",
     coded("file-too-short", "file-ends-early")),
    ("long-files-accepted", "files longer than stated accepted", "PKG-8",
     coded("file-too-long")),
    ("links-followed", "symbolic links followed", "PKG-7", coded("file-not-regular", kind="symbolic link")),
    ("directories-for-files", "a directory accepted in a file's place", "PKG-7",
     coded("file-not-regular", kind="directory")),
    ("fifos-for-files", "a FIFO accepted in a file's place", "PKG-7",
     coded("file-not-regular", kind="FIFO")),
    ("stray-upper-case-accepted", "stray shards in upper case accepted", "PKG-9",
     lambda finding: not (finding.where.file or "").endswith(".llq")),
    ("minor-version-unchecked", "version_minor not checked", "SHARD-3",
     coded("shard-version-wrong", version_major=1)),
    ("major-version-unchecked", "version_major not checked", "SHARD-3",
     lambda finding: finding.values["version_major"] != 1),
    ("shard-index-unchecked", "shard_index not checked", "SHARD-4", coded("shard-index-wrong")),
    ("shard-count-unchecked", "shard_count not checked", "SHARD-4", coded("shard-count-wrong")),
    ("reserved-20-unchecked", "reserved bytes 20 to 23 of preambles not checked", "SHARD-6",
     offset(lambda at_: at_ < 32)),
    ("reserved-32-unchecked", "reserved bytes from 32 on of preambles not checked", "SHARD-6",
     offset(lambda at_: at_ >= 32)),
    ("block-rows-unchecked", "block_rows not checked", "REC-1", coded("block-rows-wrong")),
    ("block-cols-unchecked", "block_cols not checked", "REC-1", coded("block-cols-wrong")),
    ("too-many-blocks-accepted", "num_blocks too great accepted", "REC-2",
     lambda finding: finding.values["num_blocks"] > finding.values["expected"]),
    ("too-few-blocks-accepted", "num_blocks too small accepted", "REC-2",
     lambda finding: finding.values["num_blocks"] < finding.values["expected"]),
    ("scale-nan-accepted", "NaN accepted as a scale", "DEQ-1",
     bits(lambda b: b & 0x7C00 == 0x7C00 and b & 0x3FF != 0)),
    ("scale-infinity-accepted", "infinity accepted as a scale", "DEQ-1",
     bits(lambda b: b & 0x7FFF == 0x7C00)),
    ("scale-zero-accepted", "0 accepted as a scale", "DEQ-1", bits(lambda b: b == 0)),
    ("scale-minus-zero-accepted", "−0 accepted as a scale", "DEQ-1", bits(lambda b: b == 0x8000)),
    ("scale-subnormal-accepted", "subnormal scales accepted", "DEQ-1", bits(lambda b: 0 < b < 0x400)),
    ("scale-negative-accepted", "negative scales accepted", "DEQ-1", bits(lambda b: 0x8400 <= b < 0xFC00)),
    ("scales-after-64-blocks-unchecked", "scales checked in the first 64 blocks of a part alone", "DEQ-1",
     lambda finding: finding.values["block"] >= 64),
    ("raw-infinity-accepted", "infinity accepted in raw tensors", "RAW-2",
     bits(lambda b: b in (0x7C00, 0xFC00, 0x7F800000, 0xFF800000))),
    ("raw-nan-accepted", "NaN accepted in raw tensors", "RAW-2",
     bits(lambda b: b not in (0x7C00, 0xFC00, 0x7F800000, 0xFF800000))),
    ("raw-f16-unchecked", "values of f16 tensors not checked", "RAW-2",
     coded("raw-value-not-finite", dtype="f16")),
    ("inv-freq-above-1-accepted", "frequencies above 1 accepted", "MODEL-6",
     bits(lambda b: 0x3C00 < b < 0x8000 or 0x3F800000 < b < 0x80000000)),
    ("inv-freq-0-accepted", "a frequency of 0 accepted", "MODEL-6", bits(lambda b: b == 0)),
    ("padding-behind-packed-codes", "codes right of the matrix not checked", "PACK-1",
     coded("code-outside-matrix", mask="FF")),
)
# fmt: on
"""Name, title, rule, and which of the rule's findings are overlooked."""


LATER_SHARDS = {
    "PKG-7": "kinds of files",
    "HASH-1": "hashes of parts",
    "SHARD-2": "magics",
    "SHARD-3": "versions of preambles",
    "SHARD-4": "indices and counts of preambles",
    "SHARD-5": "lengths of preambles",
    "SHARD-6": "reserved bytes of preambles",
}
"""What a validator may check in the first shard alone, by rule."""


def in_a_later_shard(finding: Finding) -> bool:
    """Return whether a finding is about a shard after the first."""
    file = finding.where.file or ""
    return file.endswith(".llq") and "-00001-of-" not in file


PARTIAL += tuple(
    (
        f"{rule.lower()}-of-later-shards-unchecked",
        f"{what} checked in the first shard alone",
        rule,
        in_a_later_shard,
    )
    for rule, what in LATER_SHARDS.items()
)


def _part_of(rule: str, drop: Drop) -> Drop:
    return lambda finding: finding.rule == rule and drop(finding)


for _name, _title, _rule, _drop in PARTIAL:
    _overlooks = _part_of(f"LLQ-{_rule}", _drop)
    _mutate = overlooking(_overlooks)
    add(Mutant(_name, _title, f"LLQ-{_rule}", ("refuse",), _mutate, overlooks=_overlooks))


@mutant("33 levels accepted", "JSON-4", "refuse")
def depth_33_accepted(seam: Seam) -> None:
    seam.replace(canonical_json, "MAX_DEPTH", 33)


@mutant("more than 31 levels refused", "JSON-4", "accept")
def depth_31(seam: Seam) -> None:
    seam.replace(canonical_json, "MAX_DEPTH", 31)


@mutant("the integer 2^53 accepted", "JSON-5", "refuse")
def integer_2_53_accepted(seam: Seam) -> None:
    seam.replace(canonical_json, "MAX_INTEGER", 1 << 53)


@mutant("patterns that let a final newline through", "META-5", "refuse")
def pattern_before_newline(seam: Seam) -> None:
    def lenient(original: Callable[..., Any]) -> Callable[..., Any]:
        return lambda validator, pattern, instance, of: original(
            validator, pattern, instance.removesuffix("\n") if isinstance(instance, str) else instance, of
        )

    seam.wrap(schema, "_pattern", lenient)
    fresh = schema._validator.__wrapped__  # noqa: SLF001 - a seam: the cached one holds the right pattern
    seam.replace(schema, "_validator", fresh)


@mutant("4.0 accepted as an integer", "META-4", "refuse")
def fraction_for_integer(seam: Seam) -> None:
    def number(_checker: Any, instance: object) -> bool:
        integral = isinstance(instance, float) and instance.is_integer()
        return (isinstance(instance, int) and not isinstance(instance, bool)) or integral

    seam.replace(schema, "_is_integer", number)
    fresh = schema._validator.__wrapped__  # noqa: SLF001 - a seam: the cached one holds the right check
    seam.replace(schema, "_validator", fresh)


@mutant("modules of 2 MiB accepted", "WGSL-1", "refuse")
def module_of_2_mib_accepted(seam: Seam) -> None:
    seam.replace(module, "MAX_BYTES", 1 << 21)


@mutant("modules above 512 KiB refused", "WGSL-1", "accept")
def module_above_512_kib_refused(seam: Seam) -> None:
    seam.replace(module, "MAX_BYTES", 1 << 19)


@mutant("only the first 16 entry points of a section checked", "WGSL-4", "refuse")
def first_entry_points_alone(seam: Seam) -> None:
    def mutate(check: Callable[..., Any]) -> Callable[..., Any]:
        def mutated_check(section: module.Section, file: str) -> Any:
            first = "@compute".join(section.text.split("@compute")[:17])
            return check(replace(section, text=first), file)

        return mutated_check

    seam.wrap(module, "_entry_points", mutate)


@mutant("names that differ in case alone accepted", "TENSOR-2", "refuse")
def names_by_case(seam: Seam) -> None:
    blind(seam, coded("tensor-name-differs-in-case"))


@mutant("lengths of parts wrapped to 32 bits", "READ-2", "refuse")
def lengths_of_32_bits(seam: Seam) -> None:
    seam.wrap(parts, "part_bytes", lambda original: lambda *of: original(*of) & 0xFFFFFFFF)


@mutant("products of dimensions wrapped to 32 bits", "TENSOR-7", "refuse")
def product_of_32_bits(seam: Seam) -> None:
    class Wrapping:
        @staticmethod
        def prod(shape: tuple[int, ...]) -> int:
            product = 1
            for dimension in shape:
                product = product * dimension & 0xFFFFFFFF
            return product

    seam.replace(tensors, "math", Wrapping)


@mutant("num_blocks expected as rows · cols / 4096", "REC-2", "accept")
def blocks_by_division(seam: Seam) -> None:
    seam.replace(shards, "block_grid", lambda rows, cols: (1, max(1, rows * cols // 4096)))


@mutant("offset of a record expected from the record's beginning", "REC-3", "accept")
def offset_from_record(seam: Seam) -> None:
    slot = shards._slot  # noqa: SLF001 - a seam

    def relative(tensor: Any, part: Any, file: Any) -> Any:
        yield from slot(tensor, part, file)
        if part.offset:
            values = {"offset": part.offset + SLOT.sizeof(), "expected": SLOT.sizeof()}
            yield Finding("record-offset-wrong", Place(file=file.name, tensor=tensor.name), values)

    seam.replace(shards, "_slot", relative)
