"""Invalid: stage schema, other than names."""

from __future__ import annotations

from typing import Any

from vectors.cases.control import control_experts, control_files, control_model, control_raw
from vectors.cases.encoding import replaced
from vectors.kit.package import Package, Sealed
from vectors.kit.registry import Key, invalid

LAYER = "/model/layers/0"


def owner(pointer: str) -> Package:
    """Return the control that has the member at a pointer."""
    if "moe/" in pointer or "temperature/" in pointer:
        return control_experts()
    if pointer.startswith("/model"):
        return control_model()
    return control_files() if pointer.startswith(("/tokenizer", "/module", "/program")) else control_raw()


UNKNOWN = {
    "the root": "/shard_size",
    "the root, __proto__": "/__proto__",
    "the root, Version": "/Version",
    "the root, empty": "/",
    "a shard": "/shards/0/url",
    "a tensor": "/tensors/0/scheme",
    "a part": "/tensors/1/parts/0/num_blocks",
    "the model": "/model/rope_theta",
    "ffn": LAYER + "/ffn/bias",
    "the tokenizer": "/tokenizer/pad_token_id",
    "the module": "/module/entry_point",
    "the program": "/program/steps",
    "a tensor, __proto__": "/tensors/0/__proto__",
}


@invalid("LLQ-META-1", cases=UNKNOWN)
def unknown_member_of(pointer: str) -> Package:
    """An object has an unknown member ({}): it MUST NOT have a member that the schema does not name."""
    return owner(pointer).set(pointer, 1)


def required(home: str, members: str) -> dict[str, str]:
    """Return pointers to members of an object, by names for people."""
    return {f"{home or 'root'} {member}": f"{home}/{member}" for member in members.split()}


REQUIRED = {
    **required("", "version stem digest shard_limit shards tensors"),
    **required("/shards/0", "file byte_length sha256"),
    **required("/tensors/1", "name dtype shape parts"),
    **required("/tensors/1/parts/0", "shard offset byte_length first_row num_rows sha256"),
    **required("/tokenizer", "file byte_length sha256 bos_token_id eos_token_ids chat_template"),
    **required("/model", "vocab_size tied_embeddings"),
    **required("/model/activations", "fp16_layers"),
    **required(LAYER + "/attention", "chunk_size"),
    **required(LAYER + "/ffn", "moe"),
    **required(LAYER + "/ffn/moe", "shared_intermediate_size"),
}


@invalid("LLQ-META-2", cases=REQUIRED)
def missing(pointer: str) -> Package:
    """A member is missing ({}): an object MUST have every member that the schema requires."""
    return owner(pointer).remove(pointer)


@invalid("LLQ-META-2")
def empty_object() -> Sealed:
    """The root is an empty object."""
    return replaced(b"{}")


@invalid("LLQ-META-2")
def many_empty_tensors() -> Package:
    """The array tensors holds 10,000 empty objects: each MUST have every member that the schema requires."""
    return control_raw().set("/tensors", [{}] * 10_000)


TYPES: dict[str, tuple[str, Any]] = {
    "version is a number": ("/version", 1),
    "version is null": ("/version", None),
    "stem is null": ("/stem", None),
    "digest is null": ("/digest", None),
    "shard_limit is a string": ("/shard_limit", "268435456"),
    "shard_limit is null": ("/shard_limit", None),
    "shards is an object": ("/shards", {}),
    "tensors is an object": ("/tensors", {}),
    "tensors is null": ("/tensors", None),
    "a shard is a string": ("/shards/0", "vector-00001-of-00001.llq"),
    "byte_length is true": ("/shards/0/byte_length", True),
    "sha256 is null": ("/shards/0/sha256", None),
    "a file name is an array": ("/shards/0/file", ["vector-00001-of-00001.llq"]),
    "a tensor is null": ("/tensors/0", None),
    "a tensor name is a number": ("/tensors/0/name", 7),
    "dtype is null": ("/tensors/0/dtype", None),
    "shape is a number": ("/tensors/0/shape", 5),
    "a dimension is true": ("/tensors/1/shape/1", True),
    "a dimension is a string": ("/tensors/1/shape/0", "4"),
    "a dimension is null": ("/tensors/1/shape/0", None),
    "a dimension is an array": ("/tensors/1/shape/0", [4]),
    "parts is an object": ("/tensors/1/parts", {}),
    "a part is an array": ("/tensors/1/parts/0", [0, 512]),
    "shard is false": ("/tensors/1/parts/0/shard", False),
    "offset is a string": ("/tensors/1/parts/0/offset", "512"),
    "first_row is null": ("/tensors/1/parts/0/first_row", None),
    "extras is an array": ("/extras", []),
    "extras is null": ("/extras", None),
    "extras of a tensor are a string": ("/tensors/0/extras", "by hand"),
    "extensions is an array": ("/extensions", []),
    "extension data are a string": ("/extensions", {"XX_sparsity": "2:4"}),
    "extensions_used is an object": ("/extensions_used", {}),
    "extensions_used holds a number": ("/extensions_used", [1]),
    "extensions_required is a string": ("/extensions_required", "XX_sparsity"),
    "extensions_required holds a number": ("/extensions_required", [1]),
    "model is null": ("/model", None),
    "tokenizer is null": ("/tokenizer", None),
    "vocab_size is true": ("/model/vocab_size", True),
    "tied_embeddings is 1": ("/model/tied_embeddings", 1),
    "chunk_size is false": (LAYER + "/attention/chunk_size", False),
    "bos_token_id is a string": ("/tokenizer/bos_token_id", "<s>"),
    "eos_token_ids is a number": ("/tokenizer/eos_token_ids", 2),
    "a token id is null": ("/tokenizer/eos_token_ids/0", None),
    "chat_template is an object": ("/tokenizer/chat_template", {}),
}


@invalid("LLQ-META-3", cases=TYPES)
def type_of(change: tuple[str, Any]) -> Package:
    """A value is of a wrong type ({}): it MUST have the JSON type that the schema states."""
    pointer, value = change
    return owner(pointer).set(pointer, value)


@invalid("LLQ-META-3", cases={"array": b"[]", "string": b'"1.0"', "number": b"10", "null": b"null"})
def root_is(data: bytes) -> Sealed:
    """The root is not an object (it is: {})."""
    return replaced(data)


INTEGERS = {
    "4.0 for 4": ('"shape":[4,', '"shape":[4.0,'),
    "4.5 for 4": ('"shape":[4,', '"shape":[4.5,'),
    "4e0 for 4": ('"shape":[4,', '"shape":[4e0,'),
    "40E-1 for 4": ('"shape":[4,', '"shape":[40E-1,'),
    "512.0 for an offset": ('"offset":512', '"offset":512.0'),
    "0.0 for a row": ('"first_row":0,"num_rows":4', '"first_row":0.0,"num_rows":4'),
    "0e5 for a row": ('"first_row":0,"num_rows":4', '"first_row":0e5,"num_rows":4'),
    "2.68435456e8 for shard_limit": ('"shard_limit":268435456', '"shard_limit":2.68435456e8'),
    "a fraction of 400 zeros": ('"offset":512', '"offset":512.' + "0" * 400),
}


@invalid("LLQ-META-4", cases=INTEGERS)
def integer_written(change: tuple[str, str]) -> Package:
    """An integer is written in another form ({}): it MUST be written as digits alone."""
    return control_raw().respell(*change)


@invalid("LLQ-META-4", cases={"bos_token_id": ('"bos_token_id":1', '"bos_token_id":1.0')})
def nullable_integer_written(change: tuple[str, str]) -> Package:
    """The integer {}, which may be null, is written 1.0."""
    return control_files().respell(*change)


DIGITS = "0123456789abcdef" * 4
VALUES: dict[str, tuple[str, Any]] = {
    "stem is empty": ("/stem", ""),
    "stem has 65 characters": ("/stem", "s" * 65),
    "stem begins with a dot": ("/stem", ".vector"),
    "stem begins with a hyphen": ("/stem", "-vector"),
    "stem has a slash": ("/stem", "a/vector"),
    "stem ends in a newline": ("/stem", "vector\n"),
    "stem has an accent": ("/stem", "v\u00e9ctor"),
    "digest in capitals": ("/digest", DIGITS.upper()),
    "digest of 63 digits": ("/digest", DIGITS[1:]),
    "digest of 65 digits": ("/digest", DIGITS + "0"),
    "digest with an algorithm": ("/digest", "sha256:" + DIGITS),
    "digest in base64": ("/digest", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
    "digest ends in a newline": ("/digest", DIGITS + "\n"),
    "digest in full width": ("/digest", "\uff10" * 64),
    "sha256 is md5": ("/shards/0/sha256", DIGITS[:32]),
    "sha256 is sha512": ("/shards/0/sha256", DIGITS * 2),
    "sha256 is empty": ("/tensors/0/parts/0/sha256", ""),
    "sha256 in capitals": ("/tensors/0/parts/0/sha256", DIGITS.upper()),
    "sha256 with an algorithm": ("/tensors/0/parts/0/sha256", "blake3:" + DIGITS),
    "shard_limit 0": ("/shard_limit", 0),
    "shard_limit 256": ("/shard_limit", 256),
    Key("shard_limit no multiple of 256", "shard_limit is not a multiple of 256"): (
        "/shard_limit",
        268435455,
    ),
    "shard_limit 2^32": ("/shard_limit", 2**32),
    "shard_limit negative": ("/shard_limit", -512),
    "no shards": ("/shards", []),
    "a file of 0 bytes": ("/shards/0/byte_length", 0),
    "a file of 2^32 bytes": ("/shards/0/byte_length", 2**32),
    "no tensors": ("/tensors", []),
    "dtype int4": ("/tensors/1/dtype", "int4"),
    "dtype in capitals": ("/tensors/0/dtype", "F16"),
    "dtype bf16": ("/tensors/0/dtype", "bf16"),
    "shape of no dimensions": ("/tensors/0/shape", []),
    "shape of three dimensions": ("/tensors/1/shape", [4, 5, 1]),
    "shape of 1000 dimensions": ("/tensors/1/shape", [1] * 1000),
    "a dimension of 0": ("/tensors/1/shape/1", 0),
    "a dimension of minus 1": ("/tensors/1/shape/0", -1),
    "a dimension of 2^31": ("/tensors/1/shape/0", 2**31),
    "a dimension of 2^53 - 1": ("/tensors/1/shape/0", 2**53 - 1),
    "no parts": ("/tensors/1/parts", []),
    "shard -1": ("/tensors/1/parts/0/shard", -1),
    "shard 99999": ("/tensors/1/parts/0/shard", 99_999),
    "offset -256": ("/tensors/1/parts/0/offset", -256),
    "offset 2^32": ("/tensors/1/parts/0/offset", 2**32),
    "offset 2^32 + 512": ("/tensors/1/parts/0/offset", 2**32 + 512),
    "a part of 0 bytes": ("/tensors/1/parts/0/byte_length", 0),
    "first_row -1": ("/tensors/1/parts/0/first_row", -1),
    "num_rows 0": ("/tensors/1/parts/0/num_rows", 0),
    "num_rows 2^31": ("/tensors/1/parts/0/num_rows", 2**31),
    "an extension name in lower case": ("/extensions_used", ["xx_sparsity"]),
    "an extension name without prefix": ("/extensions_used", ["SPARSITY"]),
    "an extension name with a newline": ("/extensions_used", ["XX_sparsity\n"]),
    "an extension used twice": ("/extensions_used", ["XX_sparsity", "XX_sparsity"]),
    "65 extensions": ("/extensions_used", [f"XX_{index}" for index in range(65)]),
    "extension data named __proto__": ("/extensions", {"__proto__": {}}),
    "extension data of a tensor with a bad name": ("/tensors/0/extensions", {"sparsity": {}}),
    "head_dim odd": ("/model/head_dim", 3),
    "rms_norm_eps 0": ("/model/rms_norm_eps", 0),
    "rms_norm_eps 1e-13": ("/model/rms_norm_eps", 1e-13),
    "rope_pairing neox": ("/model/rope_pairing", "neox"),
    "no layers": ("/model/layers", []),
    "chunk_size 0": (LAYER + "/attention/chunk_size", 0),
    "attn_scale negative": ("/model/layers/0/attention/temperature/attn_scale", -0.1),
    "bos_token_id minus 1": ("/tokenizer/bos_token_id", -1),
    "bos_token_id 2^24": ("/tokenizer/bos_token_id", 2**24),
    "an eos token twice": ("/tokenizer/eos_token_ids", [2, 2]),
    "65 eos tokens": ("/tokenizer/eos_token_ids", list(range(65))),
    "a chat template of 131,073 characters": ("/tokenizer/chat_template", "a" * 131_073),
}


@invalid("LLQ-META-5", cases=VALUES)
def value_of(change: tuple[str, Any]) -> Package:
    """A value is out of bounds ({}): it MUST satisfy what the schema states."""
    pointer, value = change
    return owner(pointer).set(pointer, value)
