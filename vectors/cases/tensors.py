"""Invalid: stage tensors, the list of tensors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from vectors.cases.control import BIAS_TENSOR, EXPERTS, control, control_model
from vectors.kit.model import layer, model_tensors, some_tensor, tiny, with_tokenizer
from vectors.kit.package import Package, assemble
from vectors.kit.registry import Key, invalid
from vectors.kit.tensor import Raw

if TYPE_CHECKING:
    from vectors.kit.tensor import Tensor

DENSE, UNTIED = tiny(), tiny(tied_embeddings=False)


def model_of(name: str) -> dict[str, Any]:
    """Return the model that a case about a tensor changes."""
    if name == "lm_head":
        return UNTIED
    return EXPERTS if any(word in name for word in ("expert", "shared", "router")) else DENSE


def tensors_named(*names: str) -> Package:
    """Return a package of tensors that differ in their names only."""
    tensors = [replace(BIAS_TENSOR, name=name) for name in names]
    return assemble(tensors)


CLASHES = {
    "the same": ("weight", "weight"),
    "Weight and weight": ("Weight", "weight"),
    "a.B and a.b": ("a.B", "a.b"),
    "QK and qk, far apart": ("QK", "Z", "a", "b", "qk"),
}


@invalid("LLQ-TENSOR-2", cases=CLASHES)
def tensor_names_clash(names: tuple[str, ...]) -> Package:
    """Two tensors have one name ({}): names MUST NOT differ only in the case of letters."""
    return tensors_named(*names)


def with_tensors(model: dict[str, Any], tensors: list[Tensor]) -> Package:
    """Return a model with other tensors than it calls for."""
    return with_tokenizer(assemble(tensors, model=model))


LACKING = {
    name: name
    for name in (
        "embedding",
        "lm_head",
        "rope.inv_freq",
        "layers.0.ffn.gate_up",
        "layers.0.ffn.experts.1.down",
    )
}


@invalid("LLQ-TENSOR-3", cases=LACKING)
def tensor_lacking(name: str) -> Package:
    """The tensor {} is missing: the package MUST hold exactly the tensors that the model requires."""
    model = model_of(name)
    return with_tensors(model, [tensor for tensor in model_tensors(model) if tensor.name != name])


SURPLUS = {
    "of no model": "zebra",
    "of a layer too many": "layers.1.ffn_norm",
    "of an expert too many": "layers.0.ffn.experts.2.down",
    "with a leading zero": "layers.00.ffn_norm",
    "of an ungated layer": "layers.0.ffn.up",
}


@invalid("LLQ-TENSOR-3", cases=SURPLUS)
def tensor_too_many(name: str) -> Package:
    """The package has a tensor that the model does not require ({})."""
    model = model_of(name)
    return with_tensors(model, [*model_tensors(model), Raw(name, "f32", (4,), lambda _index: 0)])


@invalid("LLQ-TENSOR-3")
def head_of_tied_embeddings() -> Package:
    """tied_embeddings is true: lm_head MUST be absent, and is present."""
    return with_tokenizer(assemble(model_tensors(UNTIED), model=DENSE))


@invalid("LLQ-TENSOR-3")
def frequencies_without_rope() -> Package:
    """No layer has RoPE: rope.inv_freq MUST be absent, and is present."""
    return with_tokenizer(assemble(model_tensors(tiny()), model=tiny(layers=[layer({"rope": False})])))


@invalid("LLQ-TENSOR-3")
def gated_names_in_an_ungated_layer() -> Package:
    """A layer that is not gated has gate_up instead of up."""
    return with_tokenizer(assemble(model_tensors(tiny()), model=tiny(layers=[layer(None, {"gated": False})])))


def reshaped(name: str, dtype: str, shape: tuple[int, ...]) -> Package:
    """Return the model with one tensor of another dtype or shape."""
    model, replacement = model_of(name), some_tensor(name, dtype, shape)
    return with_tensors(
        model, [replacement if tensor.name == name else tensor for tensor in model_tensors(model)]
    )


SHAPES = {
    "embedding transposed": ("embedding", "f16", (4, 5)),
    "norm a row": ("norm", "f16", (1, 4)),
    Key("qkv of as many keys as queries", "qkv with equal numbers of keys and queries"): (
        "layers.0.attention.qkv",
        "int4_affine",
        (12, 4),
    ),
    "down transposed": ("layers.0.ffn.down", "int4_symmetric", (6, 4)),
    "gate_up of one half": ("layers.0.ffn.gate_up", "int4_symmetric", (6, 4)),
    "an expert of the shared width": ("layers.0.ffn.experts.0.down", "int4_symmetric", (4, 3)),
    "lm_head of one token more": ("lm_head", "int4_symmetric", (6, 4)),
    Key("inv_freq of a whole head", "inv_freq for a whole head"): ("rope.inv_freq", "f32", (2,)),
}


@invalid("LLQ-TENSOR-4", cases=SHAPES)
def shape_of(change: tuple[str, str, tuple[int, ...]]) -> Package:
    """The shape of a tensor is wrong ({}): it MUST be the shape that the model requires."""
    return reshaped(*change)


DTYPES = {
    "embedding int4_affine": ("embedding", "int4_affine", (5, 4)),
    "qkv f16": ("layers.0.attention.qkv", "f16", (8, 4)),
    "down f32": ("layers.0.ffn.down", "f32", (4, 6)),
    "inv_freq f16": ("rope.inv_freq", "f16", (1,)),
}


@invalid("LLQ-TENSOR-5", cases=DTYPES)
def dtype_of(change: tuple[str, str, tuple[int, ...]]) -> Package:
    """The dtype of a tensor is wrong ({}): it MUST be one that the tensor's role allows."""
    return reshaped(*change)


@invalid("LLQ-TENSOR-6", cases={"int4_affine": "int4_affine", "int4_symmetric": "int4_symmetric"})
def one_dimension(dtype: str) -> Package:
    """A tensor of one dimension is {}, and MUST have two."""
    package = assemble([some_tensor("weight", dtype, (40, 1))])
    return package.set("/tensors/0/shape", [40])


BOMBS = {
    "2147483647 x 2147483647": [2**31 - 1, 2**31 - 1],
    "2147483647 x 4194305": [2**31 - 1, 2**22 + 1],
    "94906267 x 94906266": [94_906_267, 94_906_266],
    "134217728 x 67108864, which is 2^53": [2**27, 2**26],
}


@invalid("LLQ-TENSOR-7", cases=BOMBS)
def product_of(shape: list[int]) -> Package:
    """The shape of a matrix is {}: the product MUST be at most 2^53 - 1."""
    package = control().set("/tensors/1/shape", shape)
    return package.set("/tensors/1/parts/0/num_rows", shape[0])


@invalid("LLQ-TENSOR-7")
def product_of_a_raw_tensor() -> Package:
    """The shape of a raw tensor is 1073741824 x 1073741824, whose product of 2^60 is 0 in 32 bits."""
    package = control().set("/tensors/0/shape", [2**30, 2**30])
    return package.set("/tensors/0/parts/0/num_rows", 2**30)


@invalid("LLQ-PART-5")
def product_at_the_limit() -> Package:
    """The product of a shape is 2^53 - 1, which TENSOR-7 permits: the length of the part is wrong."""
    package = control().set("/tensors/0/shape", [6361 * 69_431, 20_394_401])
    return package.set("/tensors/0/parts/0/num_rows", 6361 * 69_431)


ORDERS = {
    "in reverse": ("weight", "bias"),
    "ignoring case": ("a", "B"),
    "by numbers": ("t.2", "t.10"),
    Key("with dots behind digits", "with dots after digits"): ("a0", "a.b"),
    Key("with underscores behind letters", "with underscores after letters"): ("ab", "a_"),
    Key("with digits behind letters", "with digits after letters"): ("ab", "a0"),
}


@invalid("LLQ-CANON-3", cases=ORDERS)
def names_ordered(names: tuple[str, ...]) -> Package:
    """Tensors are listed in another order ({}): they MUST ascend by the bytes of their names."""
    return tensors_named(*names)


MOVES = {
    "lm_head first": ("lm_head", "embedding"),
    "output before qkv": ("layers.0.attention.output", "layers.0.attention.qkv"),
    "shared before experts": ("layers.0.ffn.shared.gate_up", "layers.0.ffn.experts.0.gate_up"),
    "gate_up of all experts before down": ("layers.0.ffn.experts.1.gate_up", "layers.0.ffn.experts.0.down"),
}


@invalid("LLQ-CANON-3", cases=MOVES)
def model_order(move: tuple[str, str]) -> Package:
    """Tensors of a model are listed in another order ({}): they MUST follow the tensor table."""
    name, before = move
    model = model_of(name)
    tensors = model_tensors(model)
    moving = next(tensor for tensor in tensors if tensor.name == name)
    tensors.remove(moving)
    tensors.insert([tensor.name for tensor in tensors].index(before), moving)
    return with_tensors(model, tensors)


@invalid("LLQ-CANON-3")
def model_ordered_by_name() -> Package:
    """The tensors of a model are sorted by name, and MUST follow the tensor table."""
    return with_tensors(DENSE, sorted(model_tensors(DENSE), key=lambda tensor: tensor.name))


@invalid("LLQ-CANON-3")
def weights_in_model_order() -> Package:
    """A package without model lists its tensors as a model would."""
    return control_model().remove("/model")
