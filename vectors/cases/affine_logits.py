"""Logits and generation of models with LLQ_attention_affine.

Prompts of models with a margin were found by `vectors.kit.search`.
"""

from __future__ import annotations

from dataclasses import replace

from vectors.cases.logits import MARGIN, MOE, NOPE, QUIET, ROUTER, dense, model
from vectors.kit.affine import BIAS, BOTH, NORM, PLAIN
from vectors.kit.computed import computed
from vectors.kit.sequences import Generate, Logits, Subject
from vectors.kit.tensor import Raw, Tensor
from vectors.kit.weights import Style, bits32

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

PIECES = (11,), (1,) * 11, (5, 6), (3, 2, 4, 2)
TOKENS = [32, 31, 11, 13, 16, 18, 35, 37, 19, 20, 24]


@computed("logits", *ARITHMETIC, "LLQ-DEC-17")
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
    """Biases of up to 40, which are far greater than the products; binary16 throughout."""
    style = Style({"qkv_bias": 20.0, "output": 0.05}, F32)
    return Logits(Subject(model(2, dense(24), dense(24)), 13, style, affine=(BIAS, BIAS)), TOKENS)


@computed("logits", *ARITHMETIC)
def affine_bias_of_the_middle_layer_binary16() -> Logits:
    """The second of three layers alone has a bias, in binary16; binary16 throughout."""
    subject = Subject(model(3, dense(24), dense(24), dense(24)), 14, affine=(PLAIN, BIAS, PLAIN))
    return Logits(subject, TOKENS)


@computed("logits", *OF_NORM, "LLQ-DEC-17")
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
    """Return weights of norms that differ within each pair; some are negative."""
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
