"""The extension LLQ_attention_affine: valid and invalid packages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from vectors.cases.control import control_raw
from vectors.kit import affine as extension
from vectors.kit.affine import BIAS, BOTH, NAME, NORM, PLAIN, Affine
from vectors.kit.model import layer, model_package, model_tensors, tiny, with_tokenizer
from vectors.kit.package import Package, assemble
from vectors.kit.registry import invalid, valid
from vectors.kit.tensor import Raw, Tensor

NEEDED = (NAME,)
Json = Any
EXPERTS = {"num_experts": 2, "shared_intermediate_size": 3}


def package(affine: Affine, dtypes: dict[str, str] | None = None, **changes: Json) -> Package:
    """Return the package of a tiny model, its tensors fitting the choices of its layers."""
    changes.setdefault("layers", [layer() for _ in affine])
    return with_tokenizer(model_package(tiny(**changes), dtypes, affine=affine))


# Packages.

WIDTHS = {"binary16": "f16", "binary32": "f32"}


@valid("LLQ-AFFINE-1", "LLQ-TENSOR-3", cases=WIDTHS, extensions=NEEDED)
def affine_bias_stored_in(dtype: str) -> Package:
    """A layer has a bias of q, k and v in {}: the tensor follows attention.qkv."""
    return package((BIAS,), {"qkv_bias": dtype})


@valid("LLQ-AFFINE-1", "LLQ-TENSOR-3", cases=WIDTHS, extensions=NEEDED)
def affine_norm_stored_in(dtype: str) -> Package:
    """A layer has a weighted norm of query and key heads, its weights in {}."""
    return package((NORM,), {"q_norm": dtype, "k_norm": dtype})


@valid("LLQ-AFFINE-1", "LLQ-AFFINE-3", "LLQ-AFFINE-5", extensions=NEEDED)
def affine_choices_of_five_layers() -> Package:
    """Five layers make every choice of both members, one of them with experts and qk_norm."""
    layers = [layer(), layer(), layer(), layer(), layer({"qk_norm": True}, {"moe": EXPERTS})]
    return package((PLAIN, BIAS, NORM, BOTH, BIAS), layers=layers)


@valid("LLQ-CANON-4", "LLQ-CANON-3", extensions=NEEDED)
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
