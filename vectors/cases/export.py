"""Export: checkpoints that a package can hold, in the forms that models come in."""

from __future__ import annotations

from typing import Any

from vectors.kit.checkpoint import (
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
from vectors.kit.exporting import Exportable, frequencies, llama3
from vectors.kit.model import layer, tiny
from vectors.kit.storage import stored

WRITES = ("LLQ-WRITE-6", "LLQ-WRITE-1")
DISTURBED = (*WRITES, "LLQ-WRITE-2", "LLQ-WRITE-5", "LLQ-WRITE-7")
"""Also asked with a directory in the way, and on a disk that is full."""


def dense(*widths: int, **changes: Any) -> dict[str, Any]:
    """Return a dense Llama with layers of these widths, a hidden size of 32, 4 heads and 24 tokens."""
    plain = {"vocab_size": 24, "hidden_size": 32, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8}
    layers = [layer(None, {"intermediate_size": width}) for width in widths or (40,)]
    fp16_layers = {"fp16_layers": min(2, len(layers))}
    return tiny(**{**plain, "layers": layers, "activations": fp16_layers, **changes})


def of_kind(matrices: str, vectors: str = "F32", **exceptions: str) -> Any:
    """Return what chooses a dtype: by the last part of a name, or as for matrices or norms."""

    def chosen(name: str) -> str:
        last = name.rpartition(".")[2]
        return exceptions.get(last, vectors if last.endswith("norm") else matrices)

    return chosen


def plain_theta(model: dict[str, Any]) -> list[float]:
    """Return the frequencies of base 10000."""
    return frequencies(model["head_dim"])


@computed("export", *WRITES)
def dense_llama_in_binary32() -> Exportable:
    """A dense Llama with its own head and equal numbers of heads and key-value heads, in binary32."""
    original = Original(dense(num_kv_heads=4, tied_embeddings=False))
    return Exportable(
        original,
        one_file(hugging_face(original), llama_config(original.model)),
        plain_theta(original.model),
    )


@computed("export", *WRITES)
def dense_llama_in_bfloat16() -> Exportable:
    """A dense Llama of two layers, tied embeddings and grouped heads in bfloat16, its norms in binary32."""
    original = Original(dense(40, 40), of_kind("BF16"))
    return Exportable(
        original,
        one_file(hugging_face(original), llama_config(original.model)),
        plain_theta(original.model),
    )


@computed("export", *DISTURBED)
def dense_llama_of_many_blocks() -> Exportable:
    """Matrices of several blocks in binary16; all heads together wider than the model; RoPE base 500000."""
    original = Original(
        dense(70, vocab_size=20, hidden_size=72, num_heads=6, head_dim=16), of_kind("F16", "F16")
    )
    config = llama_config(original.model, rope_theta=500000.0)
    return Exportable(original, one_file(hugging_face(original), config), frequencies(16, 500000))


@computed("export", *WRITES)
def dense_llama_in_two_files() -> Exportable:
    """Tensors spread over two files with an index, as large checkpoints are."""
    original = Original(dense(), of_kind("BF16", "BF16"))
    return Exportable(
        original,
        two_files(hugging_face(original), llama_config(original.model)),
        plain_theta(original.model),
    )


@computed("export", *WRITES)
def dense_llama_with_gelu() -> Exportable:
    """An FFN with gelu; head_dim and the number of key-value heads follow from other settings."""
    model = dense(num_kv_heads=4)
    model["layers"][0]["ffn"]["activation"] = "gelu"
    original = Original(model, of_kind("F16"))
    config = llama_config(model)
    del config["head_dim"], config["num_key_value_heads"]
    return Exportable(original, one_file(hugging_face(original), config), plain_theta(model))


@computed("export", *WRITES)
def dense_llama_with_scaled_rope() -> Exportable:
    """RoPE frequencies scaled as in Llama 3: high ones kept, low ones divided, a smooth band in between."""
    original = Original(dense(head_dim=16, num_heads=2, num_kv_heads=1), of_kind("BF16"))
    scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    config = llama_config(
        original.model,
        rope_theta=500000.0,
        rope_scaling={**scaling, "rope_type": "llama3", "original_max_position_embeddings": 8192},
    )
    scaled = llama3(frequencies(16, 500000), 8.0, 1.0, 4.0, 8192)
    return Exportable(original, one_file(hugging_face(original), config), scaled)


@computed("export", *WRITES)
def dense_llama_with_spare_tensors() -> Exportable:
    """Tied embeddings, with a stored head and RoPE buffers that are redundant: they MUST have no effect."""
    original = Original(dense(), of_kind("BF16"))
    tensors = hugging_face(original)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    buffer = stored("F32", (4,), [plain_theta(original.model)])
    tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = "F32", (4,), buffer.data
    return Exportable(original, one_file(tensors, llama_config(original.model)), plain_theta(original.model))


def extreme(name: str, rows: Rows) -> Rows:
    """Put values that are hard to round into some tensors."""
    if name.endswith("ffn.up"):
        return [[0.0] * len(row) for row in rows]
    if name.endswith("attention.v"):
        return [[value * 2.0**-18 for value in row] for row in rows]
    if name.endswith("attention.output"):
        return [[abs(value) for value in row] for row in rows]
    if name.endswith("ffn.down"):
        rows[3][5] = 6000.0
    return rows


@computed("export", *WRITES, "LLQ-DEQ-1")
def dense_llama_of_extremes() -> Exportable:
    """A matrix of zeros, one below the smallest step, one without negative weights, one with an outlier."""
    original = Original(dense(64), of_kind("F32"), extreme)
    return Exportable(
        original,
        one_file(hugging_face(original), llama_config(original.model)),
        plain_theta(original.model),
    )


EXPERTS = {"num_experts": 3, "shared_intermediate_size": 12}


def llama4() -> dict[str, Any]:
    """Return a Llama 4: a layer with experts, RoPE and QK-norm, then a dense one with neither."""
    rotating = {"qk_norm": True, "chunk_size": 16}
    still = {"rope": False, "temperature": {"attn_scale": 0.1, "floor_scale": 8192}}
    return dense(
        layers=[
            layer(rotating, {"intermediate_size": 12, "moe": EXPERTS}),
            layer(still, {"intermediate_size": 20}),
        ],
        num_heads=2,
        num_kv_heads=1,
        rope_pairing="interleaved",
        tied_embeddings=False,
        activations={"fp16_layers": 2},
    )


def llama4_config(model: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the configuration of that model."""
    return {
        **llama_config(model),
        "architectures": ["Llama4ForCausalLM"],
        "model_type": "llama4_text",
        "hidden_act": "silu",
        "intermediate_size": 12,
        "intermediate_size_mlp": 20,
        "moe_layers": [0],
        "num_local_experts": 3,
        "num_experts_per_tok": 1,
        "no_rope_layers": [1, 0],
        "layer_types": ["chunked_attention", "full_attention"],
        "attention_chunk_size": 16,
        "use_qk_norm": True,
        "attn_temperature_tuning": True,
        "attn_scale": 0.1,
        "floor_scale": 8192,
        **changes,
    }


@computed("export", *DISTURBED)
def llama4_with_experts_together() -> Exportable:
    """Llama 4 with experts in two transposed tensors per layer, gate next to up; one layer has no RoPE."""
    original = Original(llama4(), of_kind("BF16"))
    return Exportable(
        original,
        one_file(stacked(original), llama4_config(original.model)),
        plain_theta(original.model),
    )


@computed("export", *WRITES)
def llama4_with_experts_apart() -> Exportable:
    """Llama 4 with a vision model, which the package leaves out; each expert has three tensors."""
    original = Original(llama4(), of_kind("F16"))
    tensors = {
        f"language_model.{name}": value for name, value in hugging_face(original, "feed_forward").items()
    }
    tensors["vision_model.class_embedding"] = "F32", (4,), bytes(16)
    text = llama4_config(original.model)
    del text["architectures"]
    config = {
        "architectures": ["Llama4ForConditionalGeneration"],
        "model_type": "llama4",
        "text_config": text,
        "vision_config": {"model_type": "llama4_vision_model"},
        "tie_word_embeddings": False,
    }
    return Exportable(original, one_file(tensors, config), plain_theta(original.model))


@computed("export", *DISTURBED, cases={"F16": "F16", "Q8_0": "Q8_0", "Q4_1": "Q4_1"})
def gguf_of(kind: str) -> Exportable:
    """A GGUF file with matrices in {}, where the rows of q and k are in pairs."""
    model = dense(64, tied_embeddings=kind != "F16")
    original = Original(model, of_kind(kind))
    return Exportable(original, {"model.gguf": gguf_file(original)}, plain_theta(model))
