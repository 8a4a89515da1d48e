"""Stages `model` to `parts`: the relations within metadata.json. The metadata satisfies the schema."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from vectors.kit import affine
from vectors.kit.reading import json_schema
from vectors.kit.tensor import align

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = Any
MATRIX, RAW = ("int4_affine", "int4_symmetric"), ("f16", "f32")
Role = tuple[str, list[int], tuple[str, ...]]
"""Name, shape and allowed dtypes of a tensor of a model."""


def rows_cols(tensor: Json) -> tuple[int, int]:
    """Return the rows and columns of a tensor; one of one dimension has one column."""
    shape = tensor["shape"]
    return shape[0], shape[1] if len(shape) > 1 else 1


def blocks(rows: int, cols: int) -> int:
    """Return the number of blocks of a part."""
    return -(-rows // 64) * -(-cols // 64)


def part_length(dtype: str, rows: int, cols: int) -> int:
    """Return the length of a part in bytes."""
    if dtype in RAW:
        return align(rows * cols * (2 if dtype == "f16" else 4))
    n = blocks(rows, cols)
    return 256 + align(2 * n) + (align(n) if dtype == "int4_affine" else 0) + 2048 * n


def model_rules(metadata: Json) -> Iterator[str]:
    """Yield the violations of stage `model`."""
    yield from _extensions(metadata)
    yield from _affine(metadata)
    model = metadata.get("model")
    if model is not None:
        yield from _layers(model)
    tokenizer = metadata.get("tokenizer")
    if model is not None and tokenizer is not None:
        bos = tokenizer["bos_token_id"]
        if max([*tokenizer["eos_token_ids"], -1 if bos is None else bos]) >= model["vocab_size"]:
            yield "MODEL-5"
    yield from _names_of_files(metadata)


def _extensions(metadata: Json) -> Iterator[str]:
    used = metadata.get("extensions_used", [])
    names = [*metadata.get("extensions_required", []), *metadata.get("extensions", {})]
    for tensor in metadata["tensors"]:
        names += tensor.get("extensions", {})
    if not set(names) <= set(used):
        yield "EXT-2"


def _affine(metadata: Json) -> Iterator[str]:
    if affine.NAME not in metadata.get("extensions_used", []):
        return
    model, data = metadata.get("model"), metadata.get("extensions", {}).get(affine.NAME)
    required = affine.NAME in metadata.get("extensions_required", [])
    of_tensors = any(affine.NAME in tensor.get("extensions", {}) for tensor in metadata["tensors"])
    if not required or model is None or data is None or of_tensors:
        yield "AFFINE-1"
        return
    if next(json_schema.check(json_schema.schema("attention_affine"), data), None) is not None:
        yield "AFFINE-2"
        return
    layers = data["layers"]
    if len(layers) != len(model["layers"]):
        yield "AFFINE-3"
    if not any(choices[member] for choices in layers for member in affine.PLAIN):
        yield "AFFINE-4"
    for choices, layer in zip(layers, model["layers"], strict=False):
        if choices["weighted_qk_norm"] and layer["attention"]["qk_norm"]:
            yield "AFFINE-5"


def _layers(model: Json) -> Iterator[str]:
    if model["num_heads"] % model["num_kv_heads"] != 0:
        yield "MODEL-1"
    for layer in model["layers"]:
        attention, ffn = layer["attention"], layer["ffn"]
        if attention["qk_norm"] and not attention["rope"]:
            yield "MODEL-2"
        if attention["temperature"] is not None and attention["rope"]:
            yield "MODEL-2"
        if ffn["moe"] is not None and not ffn["gated"]:
            yield "MODEL-3"
    if model["activations"]["fp16_layers"] > len(model["layers"]):
        yield "MODEL-4"


def _names_of_files(metadata: Json) -> Iterator[str]:
    stem, count = metadata["stem"], len(metadata["shards"])
    for number, entry in enumerate(metadata["shards"], 1):
        if entry["file"] != "%s-%05d-of-%05d.llq" % (stem, number, count):  # noqa: UP031  # as PKG-4 writes it
            yield "PKG-4"
    if "module" in metadata and metadata["module"]["file"] != stem + ".wgsl":
        yield "PKG-4"
    if "tokenizer" in metadata and metadata["tokenizer"]["file"] != "tokenizer.json":
        yield "PKG-5"
    if "program" in metadata:
        if metadata["program"]["file"] != "program.json" or "module" not in metadata:
            yield "PKG-5"
        if "model" not in metadata:
            yield "PKG-11"


def roles(model: Json, choices: list[Json]) -> Iterator[Role]:
    """Yield the tensors that a model calls for, in canonical order (TENSOR-9, AFFINE-7).

    choices: of `LLQ_attention_affine` for each layer; empty without the extension.
    """
    hidden, vocab = model["hidden_size"], model["vocab_size"]
    a, k = model["num_heads"] * model["head_dim"], model["num_kv_heads"] * model["head_dim"]
    yield "embedding", [vocab, hidden], RAW
    for number, layer in enumerate(model["layers"]):
        prefix = f"layers.{number}."
        yield prefix + "attention_norm", [hidden], RAW
        yield prefix + "attention.qkv", [a + 2 * k, hidden], MATRIX
        if choices and choices[number]["qkv_bias"]:
            yield prefix + "attention.qkv_bias", [a + 2 * k], RAW
        if choices and choices[number]["weighted_qk_norm"]:
            yield prefix + "attention.q_norm", [model["head_dim"]], RAW
            yield prefix + "attention.k_norm", [model["head_dim"]], RAW
        yield prefix + "attention.output", [hidden, a], MATRIX
        yield prefix + "ffn_norm", [hidden], RAW
        yield from _ffn_roles(prefix + "ffn.", layer["ffn"], hidden)
    yield "norm", [hidden], RAW
    if not model["tied_embeddings"]:
        yield "lm_head", [vocab, hidden], MATRIX + RAW
    if any(layer["attention"]["rope"] for layer in model["layers"]):
        yield "rope.inv_freq", [model["head_dim"] // 2], ("f32",)


def _ffn_roles(prefix: str, ffn: Json, hidden: int) -> Iterator[Role]:
    size, moe = ffn["intermediate_size"], ffn["moe"]
    if moe is None:
        yield (
            (prefix + "gate_up", [2 * size, hidden], MATRIX)
            if ffn["gated"]
            else (prefix + "up", [size, hidden], MATRIX)
        )
        yield prefix + "down", [hidden, size], MATRIX
        return
    yield prefix + "router", [moe["num_experts"], hidden], RAW
    for expert in range(moe["num_experts"]):
        yield f"{prefix}experts.{expert}.gate_up", [2 * size, hidden], MATRIX
        yield f"{prefix}experts.{expert}.down", [hidden, size], MATRIX
    shared = moe["shared_intermediate_size"]
    yield prefix + "shared.gate_up", [2 * shared, hidden], MATRIX
    yield prefix + "shared.down", [hidden, shared], MATRIX


def tensors_rules(metadata: Json) -> Iterator[str]:
    """Yield the violations of stage `tensors`."""
    tensors = metadata["tensors"]
    names = [tensor["name"] for tensor in tensors]
    if len({name.lower() for name in names}) < len(names):
        yield "TENSOR-2"
    table: list[Role] = []
    if "model" in metadata:
        required = affine.NAME in metadata.get("extensions_required", [])
        choices = metadata["extensions"][affine.NAME]["layers"] if required else []
        for role in roles(metadata["model"], choices):
            table.append(role)
            if len(table) > len(set(names)):
                break
        if {role[0] for role in table} != set(names):
            yield "TENSOR-3"
            return
    yield from _shapes(tensors, {role[0]: role for role in table})
    if names != ([role[0] for role in table] if table else sorted(names)):
        yield "CANON-3"


def _shapes(tensors: list[Json], table: dict[str, Role]) -> Iterator[str]:
    """Yield violations of shapes and dtypes; `table` has every tensor, or is empty without a model."""
    for tensor in tensors:
        if tensor["dtype"] in MATRIX and len(tensor["shape"]) != 2:
            yield "TENSOR-6"
        if prod(tensor["shape"]) > 2**53 - 1:
            yield "TENSOR-7"
        if not table:
            continue
        _, shape, dtypes = table[tensor["name"]]
        if tensor["shape"] != shape:
            yield "TENSOR-4"
        if tensor["dtype"] not in dtypes:
            yield "TENSOR-5"


def parts_rules(metadata: Json) -> Iterator[str]:
    """Yield the violations of stage `parts`; all rules of stage `tensors` hold."""
    single = [rule for tensor in metadata["tensors"] for rule in _parts_of(tensor, len(metadata["shards"]))]
    for entry in metadata["shards"]:
        length = entry["byte_length"]
        if length % 256 or length < 512 or length > metadata["shard_limit"]:
            single.append("SHARD-1")
    yield from single
    if not {"PART-3", "PART-4", "PART-5", "SHARD-1"} & set(single):
        tiling = list(_tiling(metadata))
        yield from tiling
        if not single and not tiling and not _is_placed(metadata):
            yield "CANON-4"


def _parts_of(tensor: Json, num_shards: int) -> Iterator[str]:
    rows, cols = rows_cols(tensor)
    parts = tensor["parts"]
    ends = [0, *(part["first_row"] + part["num_rows"] for part in parts)]
    if [part["first_row"] for part in parts] != ends[:-1] or ends[-1] != rows:
        yield "PART-1"
    for number, part in enumerate(parts, 1):
        if tensor["dtype"] in MATRIX and number < len(parts) and part["num_rows"] % 64:
            yield "PART-2"
        if part["shard"] >= num_shards:
            yield "PART-3"
        if part["offset"] % 256:
            yield "PART-4"
        if part["byte_length"] != part_length(tensor["dtype"], part["num_rows"], cols):
            yield "PART-5"


def _tiling(metadata: Json) -> Iterator[str]:
    spans: list[list[tuple[int, int]]] = [[] for _ in metadata["shards"]]
    for tensor in metadata["tensors"]:
        for part in tensor["parts"]:
            spans[part["shard"]].append((part["offset"], part["offset"] + part["byte_length"]))
    for entry, of_shard in zip(metadata["shards"], spans, strict=True):
        position = 256
        for begin, end in sorted(of_shard):
            if begin < 256 or end > entry["byte_length"]:
                yield "PART-6"
            elif begin < position:
                yield "PART-7"
            elif begin > position:
                yield "PART-8"
            position = max(position, end)
        if position < entry["byte_length"]:
            yield "PART-9"


def _is_placed(metadata: Json) -> bool:
    """Whether the placement procedure gives the parts of the metadata, which tile the shards (CANON-5)."""
    limit, shard, position = metadata["shard_limit"], -1, 0
    for tensor in metadata["tensors"]:
        rows, cols = rows_cols(tensor)
        if shard < 0 or (position > 256 and position + part_length(tensor["dtype"], rows, cols) > limit):
            shard, position = shard + 1, 256
        for part in tensor["parts"]:
            if part["first_row"] > 0:
                shard, position = shard + 1, 256
            most = _most_rows(tensor["dtype"], rows - part["first_row"], cols, limit - position)
            if (part["shard"], part["offset"], part["num_rows"]) != (shard, position, most):
                return False
            position += part["byte_length"]
    return True


def _most_rows(dtype: str, remaining: int, cols: int, room: int) -> int:
    """Return how many rows the procedure puts into the room, 0 if none."""
    if part_length(dtype, remaining, cols) <= room:
        return remaining
    unit = 64 if dtype in MATRIX else 1
    low, high = 0, (remaining - 1) // unit
    while low < high:  # the length does not fall as rows are added
        middle = (low + high + 1) // 2
        low, high = (middle, high) if part_length(dtype, middle * unit, cols) <= room else (low, middle - 1)
    return low * unit
