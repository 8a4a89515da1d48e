"""Export: checkpoints to refuse, for a package could not hold them, or something is amiss."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from vectors.cases.export import dense, llama4, llama4_config, of_kind
from vectors.kit.checkpoint import (
    Change,
    Original,
    Rows,
    gguf_file,
    hugging_face,
    llama_config,
    one_file,
    stacked,
    two_files,
)
from vectors.kit.computed import computed
from vectors.kit.exporting import Files, Refusable
from vectors.kit.registry import Key
from vectors.kit.safetensors import Tensor

Tensors = dict[str, Tensor]
REFUSES = ("LLQ-WRITE-4", "LLQ-WRITE-7")
UNFIT = ("LLQ-WRITE-3", "LLQ-WRITE-7")


def small() -> dict[str, Any]:
    """Return a dense model that is smaller still."""
    return dense(16, vocab_size=8, hidden_size=16, num_heads=2, num_kv_heads=1)


def with_value(piece: str, value: float) -> Change:
    """Return what puts a value into the middle of a piece."""

    def change(name: str, rows: Rows) -> Rows:
        if name == piece:
            row = rows[len(rows) // 2]
            row[len(row) // 2] = value
        return rows

    return change


KEY = "model.layers.0.self_attn.k_proj.weight", "layers.0.attention.qkv"
DOWN = "model.layers.0.mlp.down_proj.weight", "layers.0.ffn.down"
EMBEDDING = "model.embed_tokens.weight", "embedding"
NORM = "model.layers.0.post_attention_layernorm.weight", "layers.0.ffn_norm"
VALUES: dict[str, tuple[str, float, tuple[str, ...]]] = {
    "NaN in a matrix": ("layers.0.attention.k", math.nan, KEY),
    "an infinity in a matrix": ("layers.0.ffn.down", -math.inf, DOWN),
    "an infinity in the embedding": ("embedding", math.inf, EMBEDDING),
    "NaN in a norm": ("layers.0.ffn_norm", math.nan, NORM),
    "a weight of 70000 in a matrix": ("layers.0.ffn.down", 70000.0, DOWN),
}


@computed("export", *UNFIT, cases=VALUES)
def checkpoint_with(case: tuple[str, float, tuple[str, ...]]) -> Refusable:
    """{}: no code, scale or raw value of a package can represent it."""
    piece, value, names = case
    original = Original(small(), change=with_value(piece, value))
    return Refusable(one_file(hugging_face(original), llama_config(original.model)), names)


@computed("export", *UNFIT)
def checkpoint_with_nan_in_an_expert() -> Refusable:
    """NaN in the last expert; all experts are in one tensor."""
    original = Original(llama4(), of_kind("BF16"), with_value("layers.0.ffn.experts.2.down", math.nan))
    names = "model.layers.0.feed_forward.experts.down_proj", "layers.0.ffn.experts.2.down"
    return Refusable(one_file(stacked(original), llama4_config(original.model)), names)


@computed("export", *UNFIT)
def gguf_with_nan() -> Refusable:
    """A GGUF file with NaN in a matrix."""
    model = dense(32, vocab_size=8)
    original = Original(model, of_kind("F16"), with_value("layers.0.attention.output", math.nan))
    names = "blk.0.attn_output.weight", "layers.0.attention.output"
    return Refusable({"model.gguf": gguf_file(original)}, names)


def without(tensors: Tensors, name: str) -> Tensors:
    """Return the tensors without one."""
    return {key: value for key, value in tensors.items() if key != name}


def reshaped(tensors: Tensors, name: str) -> Tensors:
    """Return the tensors, the shape of one turned around."""
    dtype, shape, data = tensors[name]
    return {**tensors, name: (dtype, (shape[0] * 2, shape[1] // 2), data)}


def added(tensors: Tensors, name: str, size: int) -> Tensors:
    """Return the tensors, and one more, of one dimension."""
    return {**tensors, name: ("BF16", (size,), b"\x80\x3f" * size)}


UP = "model.layers.0.mlp.up_proj.weight"
OUTPUT = "model.layers.0.self_attn.o_proj.weight"
BIAS = "model.layers.0.self_attn.q_proj.bias"
Q_NORM = "model.layers.0.self_attn.q_norm.weight"
TENSORS: dict[str, tuple[Callable[[Tensors], Tensors], dict[str, Any], tuple[str, ...]]] = {
    "a missing matrix": (lambda tensors: without(tensors, UP), {}, (UP, "layers.0.ffn.gate_up")),
    "a missing norm": (lambda tensors: without(tensors, "model.norm.weight"), {}, ("model.norm.weight",)),
    "a matrix of another shape": (
        lambda tensors: reshaped(tensors, OUTPUT),
        {},
        (OUTPUT, "layers.0.attention.output"),
    ),
    "a bias": (lambda tensors: added(tensors, BIAS, 16), {"attention_bias": True}, ("bias",)),
    "a bias that its configuration leaves out": (lambda tensors: added(tensors, BIAS, 16), {}, ("bias",)),
    "norms of q that its configuration leaves out": (
        lambda tensors: added(tensors, Q_NORM, 8),
        {},
        ("q_norm",),
    ),
}


def checkpoint(change: Callable[[Tensors], Tensors] = lambda tensors: tensors, **config: Any) -> Files:
    """Return the files of a small dense Llama, tensors and configuration changed."""
    original = Original(small(), of_kind("BF16", "BF16"))
    return one_file(change(hugging_face(original)), llama_config(original.model, **config))


@computed("export", *REFUSES, cases=TENSORS)
def dense_llama_with(
    case: tuple[Callable[[Tensors], Tensors], dict[str, Any], tuple[str, ...]],
) -> Refusable:
    """A dense Llama with {}: a package would compute something else."""
    change, config, names = case
    return Refusable(checkpoint(change, **config), names)


DYNAMIC = {"rope_type": "dynamic", "factor": 4.0}
SETTINGS: dict[str, dict[str, Any]] = {
    Key("another architecture", "an unknown architecture"): {
        "model_type": "mystery",
        "architectures": ["MysteryForCausalLM"],
    },
    "an activation that is neither silu nor gelu": {"hidden_act": "relu"},
    "RoPE that depends on the length of the text": {"rope_scaling": DYNAMIC},
    "RoPE over half of a head": {"partial_rotary_factor": 0.5},
    "weights quantized already": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
}


@computed("export", *REFUSES, cases=SETTINGS)
def configuration_of(config: dict[str, Any]) -> Refusable:
    """A configuration with {}, which no member of `model` expresses."""
    return Refusable(checkpoint(**config))


@computed("export", *REFUSES)
def llama4_with_two_experts_a_token() -> Refusable:
    """Llama 4 with two experts for each token; LLQ allows one."""
    original = Original(llama4(), of_kind("BF16"))
    config = llama4_config(original.model, num_experts_per_tok=2)
    return Refusable(one_file(stacked(original), config))


@computed("export", *REFUSES)
def checkpoint_cut_short() -> Refusable:
    """A file of weights that ends in the middle of its last tensor, as after a broken download."""
    files = checkpoint()
    return Refusable({**files, "model.safetensors": files["model.safetensors"][:-100]})


@computed("export", *REFUSES)
def checkpoint_without_one_of_its_files() -> Refusable:
    """An index that names two files of weights; the second file is missing."""
    original = Original(small(), of_kind("BF16", "BF16"))
    files = two_files(hugging_face(original), llama_config(original.model))
    del files["model-00002-of-00002.safetensors"]
    return Refusable(files)


@computed("export", *REFUSES)
def gguf_of_another_architecture() -> Refusable:
    """A GGUF file of an architecture other than Llama."""
    original = Original(dense(32, vocab_size=8), of_kind("F16"))
    return Refusable({"model.gguf": gguf_file(original, general__architecture="mystery")})


@computed("export", *REFUSES)
def gguf_cut_short() -> Refusable:
    """A GGUF file that ends before its data do."""
    original = Original(dense(32, vocab_size=8), of_kind("F16"))
    return Refusable({"model.gguf": gguf_file(original)[:-200]})
