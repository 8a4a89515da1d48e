"""The catalogue of finding codes: each kind of violation, its rules and the texts of its findings."""

from dataclasses import dataclass

from llq_format.metadata.message_template import MessageTemplate

REFERRING_RULES = frozenset({"LLQ-PROG-2"})
"""Rules that apply other rules to another file; their findings name both rules."""


@dataclass(frozen=True, slots=True)
class FindingCode:
    """A kind of violation.

    name: stable, in kebab-case, unique in the catalogue.
    rules: the rules that this violation breaks, a single rule for most codes. A finding breaks one rule.
    """

    name: str
    rules: tuple[str, ...]
    found: MessageTemplate
    expected: MessageTemplate
    names: frozenset[str]


def _code(name: str, rules: str, found: str, expected: str) -> FindingCode:
    texts = MessageTemplate(found), MessageTemplate(expected)
    names = frozenset(texts[0].names + texts[1].names)
    return FindingCode(name, tuple(f"LLQ-{rule}" for rule in rules.split()), *texts, names)


_READ = (
    _code("directory-missing", "PKG-1", "no such directory", "a directory that contains metadata.json"),
    _code("path-not-a-directory", "PKG-1", "not a directory", "a directory that contains metadata.json"),
    _code("metadata-missing", "PKG-1", "no such file", "a regular file"),
    _code("metadata-not-regular", "PKG-1", "a {kind}", "a regular file"),
    _code("metadata-size", "PKG-2", "{byte_length:# byte}", "{minimum} to {maximum} bytes"),
)

_JSON = (
    _code("invalid-utf8", "JSON-1 PROG-2", "byte {byte}, which is not UTF-8", "UTF-8"),
    _code("byte-order-mark", "JSON-1 PROG-2", "a byte order mark", "no byte order mark"),
    _code("nesting-too-deep", "JSON-4 PROG-2", "nesting level {level}", "at most {maximum} levels"),
    _code("invalid-json", "JSON-2 PROG-2", "{problem}: {text!a}", "JSON"),
    _code(
        "surrounding-white-space",
        "JSON-2 PROG-2",
        "white space around the value",
        "no byte before or after the value",
    ),
    _code("duplicate-member", "JSON-3 PROG-2", "two members {name!a}", "one member of this name"),
    _code("integer-too-large", "JSON-5 PROG-2", "the integer {literal!a}", "magnitude at most {maximum}"),
    _code(
        "number-not-finite", "JSON-5 PROG-2", "the number {literal!a}", "a number that is finite in binary64"
    ),
    _code("lone-surrogate", "JSON-6 PROG-2", "the string {text!a}", "no lone surrogate"),
)

_VERSION = (
    _code("version-unsupported", "VER-1", "{version!a}", "{supported!a}"),
    _code("extension-unknown", "EXT-1", "{name!a}", "an extension that this reader implements"),
)

_SCHEMA = (
    _code("unknown-member", "META-1 AFFINE-2 PROG-3", "a member {name!a}", "one of {known:,}"),
    _code("missing-member", "META-2 AFFINE-2 PROG-3", "nothing", "a member {name!a}"),
    _code("wrong-type", "META-3 AFFINE-2 PROG-3", "{value!a}", "type {types:or}"),
    _code(
        "fraction-for-integer", "META-4 PROG-3", "{value!a}, with a fraction or an exponent", "digits alone"
    ),
    _code("wrong-constant", "META-5 PROG-3", "{value!a}", "{constant!a}"),
    _code("unknown-choice", "META-5 PROG-3", "{value!a}", "one of {choices:,}"),
    _code("pattern-mismatch", "META-5 PKG-3 TENSOR-1 PROG-3", "{value!a}", "text that matches {pattern}"),
    _code("below-minimum", "META-5 PROG-3 PROG-4", "{value!a}", "at least {minimum}"),
    _code("above-maximum", "META-5 PROG-3 PROG-4", "{value!a}", "at most {maximum}"),
    _code("not-a-multiple", "META-5 PROG-4", "{value!a}", "a multiple of {divisor}"),
    _code("too-few-items", "META-5 AFFINE-2 PROG-3", "{value!a}", "at least {minimum:# item}"),
    _code("too-many-items", "META-5 AFFINE-2 PROG-3 PROG-4", "{value!a}", "at most {maximum:# item}"),
    _code("repeated-item", "META-5 PROG-3", "{value!a}", "no item twice"),
    _code("text-too-short", "PROG-3", "{value!a}", "at least {minimum:# character}"),
    _code("text-too-long", "TENSOR-1 META-5 PROG-3", "{value!a}", "at most {maximum:# character}"),
    _code("too-few-members", "PROG-3", "{value!a}", "at least {minimum:# member}"),
    _code("too-many-members", "PROG-3", "{value!a}", "at most {maximum:# member}"),
)

_CANONICAL = (
    _code("not-canonical", "CANON-1 PROG-2", "{text!a}", "{canonical!a}"),
    _code("digest-mismatch", "CANON-2", "{digest}", "{expected}"),
)

_MODEL = (
    _code("extension-unlisted", "EXT-2", "{name!a}", "a name that extensions_used lists"),
    _code(
        "affine-not-required", "AFFINE-1", "{name!a} in extensions_used alone", "it in extensions_required"
    ),
    _code("affine-without-model", "AFFINE-1", "no model", "a model, which {name!a} extends"),
    _code("affine-data-missing", "AFFINE-1", "no data of {name!a}", "its data in extensions of the root"),
    _code(
        "affine-data-of-a-tensor", "AFFINE-1", "data of {name!a} at a tensor", "its data at the root alone"
    ),
    _code("affine-layers-count", "AFFINE-3", "{elements:# element}", "{layers}, one for each layer"),
    _code(
        "affine-without-effect",
        "AFFINE-4",
        "no member that is true",
        "a layer with a bias or a weighted norm",
    ),
    _code("affine-two-norms", "AFFINE-5", "true with qk_norm", "false, or qk_norm false"),
    _code(
        "heads-not-a-multiple",
        "MODEL-1",
        "num_heads {num_heads}",
        "a multiple of num_kv_heads, {num_kv_heads}",
    ),
    _code("qk-norm-without-rope", "MODEL-2", "true without rope", "false"),
    _code("temperature-with-rope", "MODEL-2", "a temperature with rope", "null"),
    _code("experts-not-gated", "MODEL-3", "false with moe", "true"),
    _code("fp16-layers-too-many", "MODEL-4", "{fp16_layers}", "at most {num_layers}, the number of layers"),
    _code("token-id-outside-vocabulary", "MODEL-5", "{token_id}", "less than vocab_size, {vocab_size}"),
    _code("shard-name-wrong", "PKG-4", "{name!a}", "{expected!a}"),
    _code("module-name-wrong", "PKG-4", "{name!a}", "{expected!a}"),
    _code("tokenizer-name-wrong", "PKG-5", "{name!a}", "{expected!a}"),
    _code("program-name-wrong", "PKG-5", "{name!a}", "{expected!a}"),
    _code("program-without-module", "PKG-5", "a program without a module", "a member 'module'"),
    _code("program-without-model", "PKG-11", "a program without a model", "a member 'model'"),
)

_TENSORS = (
    _code("tensor-name-repeated", "TENSOR-2", "the name of tensor {first}, {first_name!a}", "a unique name"),
    _code(
        "tensor-name-differs-in-case",
        "TENSOR-2",
        "the name of tensor {first}, {first_name!a}, except for the case of letters",
        "a unique name",
    ),
    _code("tensor-missing", "TENSOR-3", "nothing", "a tensor {name!a}"),
    _code("tensor-superfluous", "TENSOR-3", "{name!a}", "a tensor that the model requires"),
    _code("int4-not-a-matrix", "TENSOR-6", "{dimensions:# dimension}", "two dimensions, [rows, cols]"),
    _code("tensor-too-large", "TENSOR-7", "{elements} elements", "at most {maximum} elements"),
    _code("tensor-shape-wrong", "TENSOR-4", "{shape}", "{expected}"),
    _code("tensor-dtype-wrong", "TENSOR-5", "{dtype}", "{expected:or}"),
    _code("tensor-out-of-order", "CANON-3", "{name!a}", "{expected!a}"),
)

_PARTS = (
    _code("part-rows-not-contiguous", "PART-1", "first_row {first_row}", "{expected}"),
    _code("part-rows-not-complete", "PART-1", "rows up to {end}", "rows up to {expected}"),
    _code("part-rows-not-aligned", "PART-2", "{num_rows:# row}", "a multiple of {block}"),
    _code("part-shard-unknown", "PART-3", "shard {shard}", "less than {num_shards}"),
    _code("part-offset-not-aligned", "PART-4", "offset {offset}", "a multiple of {alignment}"),
    _code("part-length-wrong", "PART-5", "{byte_length:# byte}", "{expected:# byte}"),
    _code("part-outside-shard", "PART-6", "bytes {first} to {last}", "within bytes {minimum} to {maximum}"),
    _code(
        "part-overlaps",
        "PART-7",
        "bytes {first} to {last}",
        "an offset of {expected} or more, where {previous} ends",
    ),
    _code("part-after-gap", "PART-8", "offset {offset}", "{expected}, where {previous} ends"),
    _code(
        "shard-length-wrong",
        "SHARD-1",
        "{byte_length:# byte}",
        "a multiple of {alignment}, {minimum} to {maximum} bytes",
    ),
    _code("shard-end-unused", "PART-9", "{byte_length:# byte}", "{expected}, where {previous} ends"),
    _code(
        "shard-limit-too-small",
        "CANON-4",
        "a shard_limit of {shard_limit} bytes",
        "room for one {unit} of {columns} columns of tensor {tensor!a}",
    ),
    _code(
        "part-misplaced",
        "CANON-4",
        "{num_rows:# row} from row {first_row} at byte {offset} of shard {shard}",
        "{expected_num_rows:# row} from row {expected_first_row} at byte {expected_offset} of shard "
        "{expected_shard}",
    ),
)

_FILES = (
    _code("file-missing", "PKG-6", "no such file", "a regular file"),
    _code("file-not-regular", "PKG-7", "a {kind}", "a regular file"),
    _code("file-too-short", "PKG-8", "{byte_length:# byte}", "{expected:# byte}"),
    _code("file-too-long", "PKG-8", "{byte_length:# byte}", "{expected:# byte}"),
    _code("file-ends-early", "PKG-8", "the end of the file", "{missing:# more byte}"),
    _code("stray-shard", "PKG-9", "a .llq file that metadata.json does not list", "no such file"),
    _code("tokenizer-missing", "PKG-10", "no tokenizer", "a member 'tokenizer'"),
)

_SHARDS = (
    _code("magic-wrong", "SHARD-2", "{magic}", "{expected}"),
    _code("shard-version-wrong", "SHARD-3", "{version_major}.{version_minor}", "{expected}"),
    _code("shard-index-wrong", "SHARD-4", "shard_index {shard_index}", "{expected}"),
    _code("shard-count-wrong", "SHARD-4", "shard_count {shard_count}", "{expected}"),
    _code("preamble-length-wrong", "SHARD-5", "byte_length {byte_length}", "{expected}"),
    _code("preamble-reserved-not-zero", "SHARD-6", "byte {byte}", "00"),
    _code("block-rows-wrong", "REC-1", "block_rows {block_rows}", "{expected}"),
    _code("block-cols-wrong", "REC-1", "block_cols {block_cols}", "{expected}"),
    _code("num-blocks-wrong", "REC-2", "num_blocks {num_blocks}", "{expected}"),
    _code("record-offset-wrong", "REC-3", "offset {offset}", "{expected}"),
    _code("record-reserved-not-zero", "REC-4", "byte {byte}", "00"),
    _code("record-padding-not-zero", "REC-5", "byte {byte}", "00"),
    _code("raw-padding-not-zero", "RAW-1", "byte {byte}", "00"),
)

_HASHES = (
    _code("part-hash-mismatch", "HASH-1", "SHA-256 {sha256}", "{expected}"),
    _code("file-hash-mismatch", "HASH-2", "SHA-256 {sha256}", "{expected}"),
)

_PAYLOAD = (
    _code(
        "scale-out-of-range",
        "DEQ-1",
        "scale {bits} of block {block} ({blocks:# such block})",
        "{minimum} to {maximum}",
    ),
    _code(
        "weight-too-large",
        "DEQ-2",
        "scale {scale} and zero_point {zero_point} of block {block}, which give {weight} "
        "({blocks:# such block})",
        "at most {maximum}",
    ),
    _code("code-outside-matrix", "PACK-1", "byte {byte} in block {block}", "zeros in bits {mask}"),
    _code(
        "raw-value-not-finite",
        "RAW-2",
        "bits {bits} ({dtype}) at row {row}, column {column}",
        "a finite value",
    ),
    _code(
        "frequency-out-of-range",
        "MODEL-6",
        "bits {bits} ({dtype}) at row {row}, column {column}",
        "a value above 0 and at most 1",
    ),
)

_MODULE = (
    _code("module-size", "WGSL-1", "{byte_length:# byte}", "{minimum} to {maximum} bytes"),
    _code("module-foreign-byte", "WGSL-1", "byte {byte}", "0A or 20 to 7E"),
    _code("module-without-final-line-feed", "WGSL-2", "a last line without a line feed", "a line feed"),
    _code("line-outside-sections", "WGSL-2", "{text!a}", "the first line of a section"),
    _code("section-without-end", "WGSL-2", "a section {section} without an end", "{end!a}"),
    _code("framing-within-section", "WGSL-2", "{text!a}", "the text of section {section}"),
    _code("section-name-repeated", "WGSL-2", "a second section {section}", "a unique name"),
    _code("block-comment-in-section", "WGSL-3", "{mark} in section {section}", "only comments with //"),
    _code("entry-point-malformed", "WGSL-4", "{text!a}", "@compute @workgroup_size(X, Y, Z) fn name("),
    _code(
        "workgroup-size-out-of-range",
        "WGSL-4",
        "a workgroup of {x} x {y} x {z}",
        "1 to {maximum} invocations, at most {maximum_z} in dimension z",
    ),
    _code(
        "variant-not-compiled",
        "WGSL-5",
        "variant {variant}, which the compiler refuses: {problem!a}",
        "WGSL that every compiler accepts",
    ),
)

_PROGRAM = (
    _code("program-size", "PROG-1", "{byte_length:# byte}", "{minimum} to {maximum} bytes"),
    _code("first-variant-not-portable", "PROG-5", "{requirements!a}", "nothing"),
    _code("variant-name-repeated", "PROG-6", "{name!a}", "a unique name"),
    _code("variant-section-unknown", "PROG-7", "{section!a}", "a section of the module"),
    _code("first-variant-sections-wrong", "PROG-8", "{sections!a}", "{expected!a}"),
    _code("entry-point-not-unique", "PROG-9", "{count} in variant {variant}", "one entry point of this name"),
    _code("weight-name-taken", "PROG-10", "a buffer of the same name", "a unique name"),
    _code("weight-shard-unknown", "PROG-11", "shard {shard}", "less than {num_shards}"),
    _code("weight-outside-shard", "PROG-11", "bytes {first} to {last}", "bytes {minimum} to {maximum}"),
    _code("weight-shard-too-large", "PROG-11", "a shard of {byte_length} bytes", "at most {maximum}"),
    _code("buffer-size-out-of-range", "PROG-12", "{byte_length:# byte}", "{minimum} to {maximum} bytes"),
    _code("buffer-missing", "PROG-13", "nothing", "a buffer {name!a}"),
    _code("buffer-member-wrong", "PROG-13", "{member} {value}", "{expected}"),
    _code("program-context-too-long", "PROG-14", "{context_length}", "at most {maximum}"),
    _code("pipeline-unknown", "PROG-15", "{entry_point!a}", "a member of pipelines"),
    _code("binding-count-wrong", "PROG-16", "{bindings:# binding}", "{expected}"),
    _code("binding-unknown", "PROG-17", "{name!a}", "the name of a range or a buffer"),
    _code("weight-written", "PROG-18", "{name}, which the entry point writes", "a buffer"),
    _code(
        "written-buffer-bound-again",
        "PROG-19",
        "{name}, bound {count} times",
        "one binding, because the entry point writes it",
    ),
    _code("parameters-unknown", "PROG-20", "{parameters}", "less than {count}"),
    _code("workgroups-not-constant", "PROG-21", "{workgroups!a}", "a number"),
)

FINDING_CODES: dict[str, FindingCode] = {
    code.name: code
    for stage in (
        *(_READ, _JSON, _VERSION, _SCHEMA, _CANONICAL, _MODEL, _TENSORS, _PARTS, _FILES, _SHARDS),
        *(_HASHES, _PAYLOAD, _MODULE, _PROGRAM),
    )
    for code in stage
}
"""All codes by name, in order of the stages of validation."""


def find_code(name: str) -> FindingCode:
    """Return the code with a name. Raises KeyError if the name is unknown."""
    return FINDING_CODES[name]


def codes_of(rule: str) -> tuple[FindingCode, ...]:
    """Return the codes of the findings of a rule; empty if no package can violate the rule."""
    return tuple(code for code in FINDING_CODES.values() if rule in code.rules)
