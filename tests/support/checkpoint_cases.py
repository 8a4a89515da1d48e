"""Small Hugging Face checkpoints, one for each situation, whose weights are on the INT4 grid.

Every INT4 scale is 1/64 and every code an integer from -8 to 7, so that quantization loses nothing and a
package computes the logits that transformers computes.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing

from tests.support.checkpoint_files import Arrays, write_safetensors

VOCABULARY, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, INTERMEDIATE, LAYERS = 304, 64, 4, 2, 16, 96, 2
BOS, EOS, START, END = "<|bos|>", "<|eos|>", "<|im_start|>", "<|im_end|>"
SPECIAL = (BOS, EOS, START, END)
"""Tokens 256 to 259."""

CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": INTERMEDIATE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": HEAD_DIM,
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "hidden_act": "silu",
    "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    "tie_word_embeddings": False,
    "bos_token_id": 256,
    "eos_token_id": 257,
    "dtype": "float32",
}
SETTINGS: dict[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": BOS,
    "eos_token": EOS,
}


def changed(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with other values; a value of ... removes its key."""
    return {key: value for key, value in {**base, **changes}.items() if value is not ...}


def write_json(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value))


def byte_tokenizer(*, post_processor: bool = True, tokens: int = 0) -> Tokenizer:
    """Return a tokenizer with a token for each byte and for SPECIAL, and `tokens` more added tokens."""
    letters = sorted(ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({letter: i for i, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    more = [f"<|more_{i}|>" for i in range(tokens)]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (*SPECIAL, *more)])
    if post_processor:
        tokenizer.post_processor = TemplateProcessing(single=[BOS, "$A"], special_tokens=[(BOS, 256)])
    return tokenizer


def grid(shape: tuple[int, ...], seed: int) -> Any:
    """Return a matrix on the INT4 grid, float32; each block of 64 by 64 has the smallest and largest code."""
    codes = np.random.default_rng(seed).integers(-8, 8, shape)
    codes[::64, ::64], codes[1::64, ::64] = -8, 7
    return (codes / 64).astype(np.float32)


def llama_weights(*, layers: int = LAYERS, head: bool = True) -> Arrays:
    """Return the tensors of a dense Llama, as transformers names them."""
    shapes = {
        "self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
        "self_attn.k_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
        "self_attn.v_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
        "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
        "mlp.up_proj": (INTERMEDIATE, HIDDEN),
        "mlp.down_proj": (HIDDEN, INTERMEDIATE),
    }
    arrays: Arrays = {"model.embed_tokens.weight": grid((VOCABULARY, HIDDEN), 1)}
    for n in range(layers):
        for i, (name, shape) in enumerate(shapes.items()):
            arrays[f"model.layers.{n}.{name}.weight"] = grid(shape, 10 + 10 * n + i)
        for name in ("input_layernorm", "post_attention_layernorm"):
            arrays[f"model.layers.{n}.{name}.weight"] = np.ones(HIDDEN, np.float32)
    arrays["model.norm.weight"] = np.ones(HIDDEN, np.float32)
    if head:
        arrays["lm_head.weight"] = grid((VOCABULARY, HIDDEN), 2)
    return arrays


def write_checkpoint(
    directory: Path,
    *,
    config: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    tokenizer: Tokenizer | None = None,
    weights: Arrays | None = None,
    **files: object,
) -> Path:
    """Write a checkpoint; `files` are further JSON files by their names without suffix.

    config, settings: changes of CONFIG and of SETTINGS, which is tokenizer_config.json.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "config.json", changed(CONFIG, config or {}))
    write_json(directory / "tokenizer_config.json", changed(SETTINGS, settings or {}))
    (tokenizer or byte_tokenizer()).save(str(directory / "tokenizer.json"))
    write_safetensors(directory / "model.safetensors", llama_weights() if weights is None else weights)
    for name, value in files.items():
        write_json(directory / f"{name}.json", value)
    return directory
