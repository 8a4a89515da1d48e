"""The extension LLQ_attention_affine: packages, invalid packages, logits and generation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vectors.cases.control import control_raw
from vectors.cases.logits import MARGIN, MOE, NOPE, QUIET, ROUTER, dense, model
from vectors.kit import affine as extension
from vectors.kit.affine import BIAS, BOTH, NAME, NORM, PLAIN, Affine
from vectors.kit.computed import computed
from vectors.kit.model import layer, model_package, model_tensors, tiny, with_tokenizer
from vectors.kit.package import Package, assemble
from vectors.kit.registry import invalid, valid
from vectors.kit.sequences import Generate, Logits, Subject
from vectors.kit.tensor import Raw, Tensor
from vectors.kit.weights import Style, bits32

NEEDED = (NAME,)
Json = Any
EXPERTS = {"num_experts": 2, "shared_intermediate_size": 3}


def package(affine: Affine, dtypes: dict[str, str] | None = None, **changes: Json) -> Package:
    """Return the package of a tiny model, its tensors fitting the choices of its layers."""
    changes.setdefault("layers", [layer() for _ in affine])
    return with_tokenizer(model_package(tiny(**changes), dtypes, affine=affine))


# Packages.

WIDTHS = {"binary16": "f16", "binary32": "f32"}


@valid("LLQ-AFFINE-6", "LLQ-AFFINE-7", cases=WIDTHS, extensions=NEEDED)
def affine_bias_stored_in(dtype: str) -> Package:
    """A layer has a bias of q, k and v in {}: the tensor follows attention.qkv."""
    return package((BIAS,), {"qkv_bias": dtype})


@valid("LLQ-AFFINE-6", "LLQ-AFFINE-7", cases=WIDTHS, extensions=NEEDED)
def affine_norm_stored_in(dtype: str) -> Package:
    """A layer has a weighted norm of query and key heads, its weights in {}."""
    return package((NORM,), {"q_norm": dtype, "k_norm": dtype})


@valid("LLQ-AFFINE-6", "LLQ-AFFINE-7", "LLQ-AFFINE-5", extensions=NEEDED)
def affine_choices_of_five_layers() -> Package:
    """Five layers make every choice of both members, one of them with experts and qk_norm."""
    layers = [layer(), layer(), layer(), layer(), layer({"qk_norm": True}, {"moe": EXPERTS})]
    return package((PLAIN, BIAS, NORM, BOTH, BIAS), layers=layers)


@valid("LLQ-AFFINE-7", "LLQ-CANON-5", extensions=NEEDED)
def affine_bias_in_another_shard() -> Package:
    """A shard ends after attention.qkv: its bias MUST begin the next shard."""
    # The preamble, embedding and attention_norm, 256 bytes each, and qkv, 2816 bytes, fill the first shard.
    shape = tiny(layers=[layer()])
    return with_tokenizer(model_package(shape, shard_limit=3584, affine=(BIAS,)))


# Stage model.

DATA = f"/extensions/{NAME}"


@invalid("LLQ-AFFINE-1", extensions=NEEDED)
def affine_not_required() -> Package:
    """The package uses the extension and does not require it."""
    return package((BIAS,)).remove("/extensions_required")


@invalid("LLQ-AFFINE-1", extensions=NEEDED)
def affine_not_required_among_others() -> Package:
    """The package uses the extension, and its list of required extensions is empty."""
    return package((BIAS,)).set("/extensions_required", [])


@invalid("LLQ-AFFINE-1", extensions=NEEDED)
def affine_without_data() -> Package:
    """The package requires the extension, and has no data at all."""
    return package((BIAS,)).remove("/extensions")


@invalid("LLQ-AFFINE-1", extensions=NEEDED)
def affine_without_data_of_its_own() -> Package:
    """The package requires the extension, and has data of another extension alone."""
    changed = package((BIAS,)).set("/extensions_used", [NAME, "XX_sparsity"])
    return changed.set("/extensions", {"XX_sparsity": {}})


@invalid("LLQ-AFFINE-1", extensions=NEEDED)
def affine_data_of_a_tensor() -> Package:
    """A tensor has data of the extension, in addition to the root."""
    return package((BIAS,)).set("/tensors/2/extensions", {NAME: {}})


@invalid("LLQ-AFFINE-1", extensions=NEEDED)
def affine_without_model() -> Package:
    """A package without a model requires the extension."""
    changed = control_raw()
    for member, value in extension.members((BIAS,)).items():
        changed.set(f"/{member}", value)
    return changed


BREACHES: dict[str, Json] = {
    "no layers": {},
    "a further member": {"layers": [BIAS], "bias": True},
    "layers that are an object": {"layers": {"0": BIAS}},
    "an empty list of layers": {"layers": []},
    "1025 layers": {"layers": [BIAS] * 1025},
    "a layer that is a list": {"layers": [[True, False]]},
    "a layer without qkv_bias": {"layers": [{"weighted_qk_norm": True}]},
    "a layer without weighted_qk_norm": {"layers": [{"qkv_bias": True}]},
    "a layer with a further member": {"layers": [{**BIAS, "qk_norm": False}]},
    "a bias that is null": {"layers": [{**BIAS, "qkv_bias": None}]},
    "a bias that is 1": {"layers": [{**BIAS, "qkv_bias": 1}]},
    "a norm that is a string": {"layers": [{**BIAS, "weighted_qk_norm": "true"}]},
}


@invalid("LLQ-AFFINE-2", cases=BREACHES, extensions=NEEDED)
def affine_data_has(data: Json) -> Package:
    """The data have {}, which the schema of the extension does not allow."""
    return package((BIAS,)).set(DATA, data)


@invalid("LLQ-AFFINE-3", cases={"fewer": 1, "more": 3}, extensions=NEEDED)
def affine_layers_are(count: int) -> Package:
    """The data describe {} layers than the model has."""
    return package((BIAS, BIAS)).set(f"{DATA}/layers", [BIAS] * count)


@invalid("LLQ-AFFINE-4", extensions=NEEDED)
def affine_without_effect() -> Package:
    """No layer has a bias or a weighted norm: the extension MUST NOT be used."""
    return package((PLAIN, PLAIN))


@invalid("LLQ-AFFINE-5", extensions=NEEDED)
def affine_two_norms_of_heads() -> Package:
    """A layer has qk_norm and a weighted norm of its heads."""
    return package((BIAS, BOTH), layers=[layer({"qk_norm": True}), layer({"qk_norm": True})])


@invalid("LLQ-EXT-2", extensions=NEEDED)
def affine_required_and_not_used() -> Package:
    """The package requires the extension, and extensions_used does not name it."""
    return package((BIAS,)).set("/extensions_used", [])


@invalid("LLQ-EXT-1")
def affine_and_an_unknown_extension() -> Package:
    """The package requires the extension and another extension, which no reader knows."""
    names = [NAME, "XX_sparsity"]
    return package((BIAS,)).set("/extensions_used", names).set("/extensions_required", names)


# Stages tensors and payload.


def laid_out(affine: Affine, change: Callable[[list[Tensor]], list[Tensor]]) -> Package:
    """Return a package whose tensors are changed and placed canonically."""
    shape = tiny(layers=[layer() for _ in affine])
    tensors = change(model_tensors(shape, affine=affine))
    return with_tokenizer(assemble(tensors, model=shape, **extension.members(affine)))


def without(suffix: str) -> Callable[[list[Tensor]], list[Tensor]]:
    """Return a function that removes the tensors whose names have an ending."""
    return lambda tensors: [tensor for tensor in tensors if not tensor.name.endswith(suffix)]


MISSING = {"qkv_bias": "qkv_bias", "q_norm": "q_norm", "k_norm": "k_norm"}


@invalid("LLQ-TENSOR-3", cases=MISSING, extensions=NEEDED)
def affine_model_without(name: str) -> Package:
    """A layer calls for a tensor that the package does not hold: {}."""
    return laid_out((BOTH,), without(name))


@invalid("LLQ-TENSOR-3", extensions=NEEDED)
def affine_bias_of_another_layer() -> Package:
    """Layer 0 has a bias by the data, and layer 1 by its tensors."""
    return laid_out((PLAIN, BIAS), lambda tensors: tensors).set(f"{DATA}/layers", [BIAS, PLAIN])


@invalid("LLQ-TENSOR-3", extensions=NEEDED)
def affine_bias_that_no_layer_calls_for() -> Package:
    """A layer has a weighted norm alone by the data, and a bias among its tensors."""
    return laid_out((BOTH,), lambda tensors: tensors).set(f"{DATA}/layers", [NORM])


def of_length(suffix: str, rows: int) -> Callable[[list[Tensor]], list[Tensor]]:
    """Return a function that gives tensors whose names have an ending another length."""

    def change(tensors: list[Tensor]) -> list[Tensor]:
        return [replace(t, shape=(rows,)) if t.name.endswith(suffix) else t for t in tensors]  # type: ignore[arg-type]

    return change


LENGTHS = {
    "as long as q and k together": ("qkv_bias", 6),
    "as long as hidden_size": ("qkv_bias", 4),
    "of all query heads": ("q_norm", 4),
    "of half a head": ("k_norm", 1),
}


@invalid("LLQ-TENSOR-4", cases=LENGTHS, extensions=NEEDED)
def affine_tensor_is(change: tuple[str, int]) -> Package:
    """A bias or the weights of a norm have another length than the layer calls for: {}."""
    return laid_out((BOTH,), of_length(*change))


def swapped(first: str, second: str) -> Callable[[list[Tensor]], list[Tensor]]:
    """Return a function that exchanges two tensors of layer 0."""

    def change(tensors: list[Tensor]) -> list[Tensor]:
        names = [tensor.name for tensor in tensors]
        i, j = (names.index(f"layers.0.attention.{name}") for name in (first, second))
        tensors[i], tensors[j] = tensors[j], tensors[i]
        return tensors

    return change


ORDERS = {
    "the bias before the matrix": ("qkv", "qkv_bias"),
    "the norm of k before that of q": ("q_norm", "k_norm"),
    "the bias after the norm of q": ("qkv_bias", "q_norm"),
    "the output before the norm of k": ("k_norm", "output"),
}


@invalid("LLQ-CANON-3", cases=ORDERS, extensions=NEEDED)
def affine_order_has(names: tuple[str, str]) -> Package:
    """Tensors are in another order: {}."""
    return laid_out((BOTH,), swapped(*names))


@invalid("LLQ-RAW-2", cases={"qkv_bias": "qkv_bias", "k_norm": "k_norm"}, extensions=NEEDED)
def affine_infinity_in(name: str) -> Package:
    """A value of the extension's tensors is infinite: {}."""

    def change(tensors: list[Tensor]) -> list[Tensor]:
        return [infinite(t) if t.name.endswith(name) and isinstance(t, Raw) else t for t in tensors]

    return laid_out((BOTH,), change)


def infinite(tensor: Raw) -> Raw:
    """Return a binary16 tensor whose first value is infinite."""
    return replace(tensor, bits=lambda index: 0x7C00 if index == 0 else tensor.bits(index))


# Logits.

F32 = dict.fromkeys(("qkv_bias", "q_norm", "k_norm"), "f32")
ARITHMETIC = ("LLQ-NUM-4", "LLQ-AFFINE-8", "LLQ-AFFINE-10")
OF_NORM = ("LLQ-NUM-4", "LLQ-AFFINE-9", "LLQ-AFFINE-10")
PROMPTS = {
    "bias": [32, 31, 35, 13, 37, 16, 35, 8],
    "norm": [27, 31, 33, 27, 10, 16, 12, 27],
    "experts": [32, 31, 35, 13, 37, 16, 35, 8, 13, 20, 24],
    "experts of int8": [32, 22, 35, 13, 37, 16, 1, 27],
    "blocks": [32, 31, 35, 30],
    "above": [27, 31, 11, 13, 18, 16, 12, 8],
}
"""Prompts of models with a margin, found by `vectors.kit.search`."""

PIECES = (11,), (1,) * 11, (5, 6), (3, 2, 4, 2)
TOKENS = [32, 31, 11, 13, 16, 18, 35, 37, 19, 20, 24]


@computed("logits", *ARITHMETIC, "LLQ-AFFINE-6", "LLQ-AFFINE-7", "LLQ-DEC-17")
def affine_bias_binary16() -> Logits:
    """Qwen2: every layer has a bias in binary32, six heads over two key-value heads; binary16 throughout."""
    shape = {"hidden_size": 48, "num_heads": 6}
    subject = Subject(model(2, dense(48), dense(), **shape), 11, Style(dtypes=F32), affine=(BIAS, BIAS))
    return Logits(subject, TOKENS, pieces=PIECES)


@computed("logits", *ARITHMETIC, "LLQ-DEC-5")
def affine_bias_interleaved_int8() -> Logits:
    """A bias in binary32 with interleaved pairs and an INT4 lm_head; INT8 with margin."""
    shape = {"rope_pairing": "interleaved", "tied_embeddings": False}
    subject = Subject(model(0, dense(), dense(24), **shape), 12, Style(dtypes=F32), affine=(BIAS, BIAS))
    return Logits(subject, PROMPTS["bias"], MARGIN)


@computed("logits", *ARITHMETIC, "LLQ-NUM-2")
def affine_great_bias_binary16() -> Logits:
    """Biases of up to 40, far above the products, of which keys have a part; binary16 throughout."""
    style = Style({"qkv_bias": 20.0, "output": 0.05}, F32)
    return Logits(Subject(model(2, dense(24), dense(24)), 13, style, affine=(BIAS, BIAS)), TOKENS)


@computed("logits", *ARITHMETIC)
def affine_bias_of_the_middle_layer_binary16() -> Logits:
    """The second of three layers alone has a bias, in binary16; binary16 throughout."""
    subject = Subject(model(3, dense(24), dense(24), dense(24)), 14, affine=(PLAIN, BIAS, PLAIN))
    return Logits(subject, TOKENS)


@computed("logits", *OF_NORM, "LLQ-AFFINE-6", "LLQ-AFFINE-7", "LLQ-DEC-17")
def affine_norm_binary16() -> Logits:
    """Qwen3: every layer has a weighted norm of heads wider than the residual stream; binary16 throughout."""
    shape = {"hidden_size": 24, "head_dim": 16}
    style = Style({"qkv": 1.5}, F32)
    subject = Subject(model(2, dense(48), dense(), **shape), 15, style, affine=(NORM, NORM))
    return Logits(subject, TOKENS, pieces=PIECES)


@computed("logits", *OF_NORM, "LLQ-DEC-5")
def affine_norm_interleaved_int8() -> Logits:
    """A weighted norm with weights in binary16 and interleaved pairs, an eps of 0.1; INT8 with margin."""
    shape = {"rope_pairing": "interleaved", "rms_norm_eps": 0.1}
    style = Style({"q_norm": 1.5, "output": 0.25})
    subject = Subject(model(0, dense(), dense(24), **shape), 16, style, affine=(NORM, NORM))
    return Logits(subject, PROMPTS["norm"], MARGIN)


@computed("logits", *OF_NORM)
def affine_norm_of_small_heads_binary16() -> Logits:
    """Heads so small that rms_norm_eps determines the output of their weighted norm; binary16 throughout."""
    style = Style({"qkv": 2e-3, "q_norm": 40.0, "k_norm": 40.0, "output": 30.0})
    return Logits(Subject(model(1, dense()), 17, style, affine=(NORM,)), TOKENS)


def signed(tensor: Tensor) -> Tensor:
    """Return weights of norms that differ within each pair, and some of which are negative."""
    if not isinstance(tensor, Raw) or not tensor.name.endswith(("q_norm", "k_norm")):
        return tensor
    values = tensor.values()
    first = tensor.name.endswith("q_norm")
    return replace(
        tensor,
        dtype="f32",
        bits=lambda index: bits32(values[index] * (-1.0 if (index % 3 == 0) == first else 1.5)),
    )


def great(tensor: Tensor) -> Tensor:
    """Return biases of q and k and weights of q_norm above binary16, and small weights of k_norm."""
    last = tensor.name.rpartition(".")[2]
    if not isinstance(tensor, Raw) or last not in F32:
        return tensor
    values = tensor.values()  # weights are 0.5 to 1.5, biases -2 to 2
    keys_and_queries = 48  # rows before those of v

    def value(index: int) -> float:
        if last == "qkv_bias":
            own = 1e5 + 2e4 * values[index]
            return own * (-1.0 if index % 3 == 0 else 1.0) if index < keys_and_queries else values[index]
        return (7e4 + 5e4 * values[index]) if last == "q_norm" else 1e-4 * values[index]

    return replace(tensor, dtype="f32", bits=lambda index: bits32(value(index)))


@computed("logits", *ARITHMETIC, "LLQ-AFFINE-9")
def affine_above_binary16_int8() -> Logits:
    """Biases and weights of norms that are above 65504, or have more bits than binary16; INT8 with margin."""
    subject = Subject(model(0, dense(24)), 23, Style({"output": 2.0**-6}), replace=great, affine=(BOTH,))
    return Logits(subject, PROMPTS["above"], MARGIN)


@computed("logits", *ARITHMETIC, "LLQ-AFFINE-9", "LLQ-DEC-14", "LLQ-DEC-7")
def affine_with_experts_binary16() -> Logits:
    """Bias and weighted norm with experts, chunks and NoPE, and bias with qk_norm; binary16 throughout."""
    local = {"chunk_size": 4}
    layers = (
        dense(24, local, moe=MOE),
        dense(24, {**local, "qk_norm": True}, moe=MOE),
        dense(24, {**NOPE, "temperature": {"attn_scale": 0.5, "floor_scale": 3}}),
        dense(24, NOPE, moe={**MOE, "num_experts": 3}),
    )
    shape = {"rope_pairing": "interleaved", "tied_embeddings": False}
    subject = Subject(model(4, *layers, **shape), 18, replace=signed, affine=(BOTH, BIAS, BOTH, NORM))
    return Logits(subject, PROMPTS["experts"], None, 2.0**-5, PIECES)


@computed("logits", *ARITHMETIC, "LLQ-AFFINE-9", "LLQ-DEC-14")
def affine_with_experts_int8() -> Logits:
    """Bias and weighted norm of a layer with four experts; INT8 with margin."""
    subject = Subject(model(0, dense(24, moe=MOE)), 19, Style(QUIET), signed, (BOTH,))
    return Logits(subject, PROMPTS["experts of int8"], MARGIN, ROUTER)


@computed("logits", *ARITHMETIC, "LLQ-AFFINE-9")
def affine_several_blocks_int8() -> Logits:
    """Heads of 80 elements, and 400 rows of q, k and v with bias; INT8 with margin."""
    shape = {"hidden_size": 80, "num_heads": 3, "num_kv_heads": 1, "head_dim": 80, "vocab_size": 70}
    subject = Subject(model(0, dense(80), **shape), 20, Style({"output": 2.0**-6}), affine=(BOTH,))
    return Logits(subject, PROMPTS["blocks"], MARGIN)


# Generation.

SPLIT = Style(gains={"lm_head": 2.0, "qkv": 1.5}, dtypes={"lm_head": "f16"})


@computed("generate", "LLQ-GEN-1", *ARITHMETIC[1:])
def affine_generation_with_bias() -> Generate:
    """Greedy choice of a model with biases yields six tokens."""
    subject = Subject(model(1, dense(), tied_embeddings=False), 41, SPLIT, affine=(BIAS,))
    return Generate(subject, [1, 5, 9, 2], 6, [])


@computed("generate", "LLQ-GEN-1", *OF_NORM[1:])
def affine_generation_with_weighted_norm() -> Generate:
    """Greedy choice of a model with weighted norms yields six tokens."""
    subject = Subject(model(1, dense(), tied_embeddings=False), 22, SPLIT, affine=(NORM,))
    return Generate(subject, [1, 5, 9, 2], 6, [])
