"""Tiny random models of transformers as checkpoints in both forms: Hugging Face directories and GGUF files.

GGUF files are written by the rules of llama.cpp's conversion: names of tensors, order of rows of q and k, and
keys for the constants of an architecture.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import torch
from transformers import (
    AutoModelForCausalLM,
    Ernie4_5Config,
    GraniteConfig,
    HeliumConfig,
    Llama4TextConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from tests.support.gguf_files import permute

Array = npt.NDArray[np.float64]

TOKENS = [1, 7, 3, 60, 2, 2, 44, 12, 5, 63, 31, 4, 4, 8, 50, 19]

SHAPE: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": None,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attn_implementation": "eager",
}

_TENSORS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.qkv_proj": "attn_qkv",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "feed_forward.gate_proj": "ffn_gate",
    "feed_forward.up_proj": "ffn_up",
    "feed_forward.down_proj": "ffn_down",
    "feed_forward.router": "ffn_gate_inp",
    "feed_forward.shared_expert.gate_proj": "ffn_gate_shexp",
    "feed_forward.shared_expert.up_proj": "ffn_up_shexp",
    "feed_forward.shared_expert.down_proj": "ffn_down_shexp",
}
_OUTER = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}


@dataclass(frozen=True)
class TinyModel:
    """A configuration, and for the GGUF form the architecture, its keys, and whether rows of q and k move."""

    config: Any
    architecture: str = ""
    keys: dict[str, Any] = field(default_factory=dict)
    permuted: bool = True

    def model(self) -> PreTrainedModel:
        """Return the model in binary64; norms are far from 1, and matrices keep lengths of vectors."""
        torch.manual_seed(3)
        build: Any = AutoModelForCausalLM.from_config
        model: PreTrainedModel = build(self.config).double().eval()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                noise = torch.randn(parameter.shape, dtype=torch.float64)
                values = 1 + 0.3 * noise if name.endswith("norm.weight") else 0.15 * noise
                parameter.copy_(values.float())
        model.tie_weights()
        return model


YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 32}
LINEAR = {"rope_type": "linear", "rope_theta": 1e4, "factor": 4.0}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5e5,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
GRANITE: dict[str, Any] = {
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "attention_multiplier": 0.05,
    "logits_scaling": 8.0,
}
GRANITE_KEYS = {"embedding_scale": 12.0, "residual_scale": 0.22, "attention.scale": 0.05, "logit_scale": 8.0}
YARN_KEYS = {
    "rope.scaling.type": "yarn",
    "rope.scaling.factor": 4.0,
    "rope.scaling.original_context_length": 32,
}
LLAMA4: dict[str, Any] = {
    "head_dim": 16,
    "intermediate_size_mlp": 96,
    "num_local_experts": 4,
    "num_experts_per_tok": 1,
    "interleave_moe_layer_step": 2,
    "attention_chunk_size": 8192,
    "rope_parameters": {"rope_theta": 5e5, "rope_type": "default"},
}

MODELS = {
    "llama": TinyModel(LlamaConfig(**SHAPE), "llama"),
    "llama-tied": TinyModel(LlamaConfig(**SHAPE, tie_word_embeddings=True), "llama"),
    "llama-yarn": TinyModel(LlamaConfig(**SHAPE, rope_parameters=YARN), "llama", YARN_KEYS),
    "llama-linear": TinyModel(
        LlamaConfig(**SHAPE, rope_parameters=LINEAR),
        "llama",
        {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0},
    ),
    "llama-llama3": TinyModel(LlamaConfig(**SHAPE, rope_parameters=LLAMA3)),
    "yi": TinyModel(
        LlamaConfig(
            **SHAPE | {"num_key_value_heads": 1}, rope_parameters={"rope_type": "default", "rope_theta": 5e6}
        ),
        "llama",
    ),
    "mistral": TinyModel(MistralConfig(**SHAPE, sliding_window=None), "llama"),
    "mistral-long-window": TinyModel(MistralConfig(**SHAPE, sliding_window=128), "llama"),
    "smollm3": TinyModel(SmolLM3Config(**SHAPE), "smollm3"),
    "smollm3-two": TinyModel(SmolLM3Config(**SHAPE, no_rope_layer_interval=2, tie_word_embeddings=False)),
    "phi3": TinyModel(Phi3Config(**SHAPE), "phi3"),
    "qwen2": TinyModel(Qwen2Config(**SHAPE), "qwen2", permuted=False),
    "qwen2-yarn": TinyModel(Qwen2Config(**SHAPE, rope_parameters=YARN), "qwen2", YARN_KEYS, permuted=False),
    "qwen3": TinyModel(Qwen3Config(**SHAPE, head_dim=16, tie_word_embeddings=True), "qwen3", permuted=False),
    "qwen3-yarn": TinyModel(
        Qwen3Config(**SHAPE, head_dim=16, rope_parameters=YARN), "qwen3", YARN_KEYS, permuted=False
    ),
    "granite": TinyModel(GraniteConfig(**SHAPE, **GRANITE), "granite", GRANITE_KEYS),
    "granite-tied": TinyModel(
        GraniteConfig(**SHAPE, **GRANITE, tie_word_embeddings=True), "granite", GRANITE_KEYS
    ),
    "helium": TinyModel(HeliumConfig(**SHAPE, head_dim=12)),
    "ernie4_5": TinyModel(Ernie4_5Config(**SHAPE, head_dim=16)),
    "llama4": TinyModel(
        Llama4TextConfig(**SHAPE, **LLAMA4),
        "llama4",
        {
            "feed_forward_length": 96,
            "expert_feed_forward_length": 80,
            "expert_count": 4,
            "expert_used_count": 1,
            "interleave_moe_layer_step": 2,
        },
        permuted=False,
    ),
}


def logits(model: PreTrainedModel, tokens: list[int] = TOKENS) -> Array:
    """Return the logits of transformers in binary64, by position."""
    with torch.no_grad():
        output: Array = model(torch.tensor([tokens])).logits[0].double().numpy()
    return output


def write_directory(directory: Path, model: Any) -> Path:
    """Save a model of transformers as it does itself, in binary32."""
    model.float().save_pretrained(directory)
    model.double()
    return directory


def write_gguf(path: Path, tiny: TinyModel, model: PreTrainedModel) -> Path:
    """Write the model as llama.cpp's conversion does, in binary32."""
    config = tiny.config
    writer = gguf.GGUFWriter(path, tiny.architecture)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    keys = {
        "block_count": config.num_hidden_layers,
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": head_dim,
        "attention.value_length": head_dim,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.dimension_count": head_dim,
        "rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "vocab_size": config.vocab_size,
    } | tiny.keys
    for key, value in keys.items():
        name = f"{tiny.architecture}.{key}"
        if isinstance(value, str):
            writer.add_string(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        else:
            writer.add_uint32(name, value)
    for name, array in _gguf_tensors(tiny, model).items():
        writer.add_tensor(name, np.ascontiguousarray(array, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_tensors(tiny: TinyModel, model: PreTrainedModel) -> dict[str, npt.NDArray[Any]]:
    heads = {"attn_q": tiny.config.num_attention_heads, "attn_k": tiny.config.num_key_value_heads}
    tensors: dict[str, npt.NDArray[Any]] = {}
    for name, tensor in model.state_dict().items():
        array = tensor.numpy()
        stem, _, kind = name.rpartition(".")
        if kind not in {"weight", "bias"}:  # experts have no such word
            stem, kind = name, "weight"
        if stem in _OUTER:
            if stem != "lm_head" or not tiny.config.tie_word_embeddings:
                tensors[f"{_OUTER[stem]}.weight"] = array
            continue
        number, part = stem.removeprefix("model.layers.").split(".", 1)
        if part == "feed_forward.experts.gate_up_proj":
            gate, up = np.split(array.swapaxes(1, 2), 2, axis=1)
            tensors[f"blk.{number}.ffn_gate_exps.weight"] = gate
            tensors[f"blk.{number}.ffn_up_exps.weight"] = up
        elif part == "feed_forward.experts.down_proj":
            tensors[f"blk.{number}.ffn_down_exps.weight"] = array.swapaxes(1, 2)
        else:
            theirs = _TENSORS[part]
            moved = tiny.permuted and theirs in heads
            tensors[f"blk.{number}.{theirs}.{kind}"] = permute(array, heads[theirs]) if moved else array
    return tensors
