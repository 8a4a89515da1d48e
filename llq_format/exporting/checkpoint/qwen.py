"""Dense Qwen: Llama with biases of q, k and v (Qwen2, Qwen2.5), or with weighted norms of heads (Qwen3).

The packages require the extension `LLQ_attention_affine`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llq_format.exporting.checkpoint import llama
from llq_format.exporting.checkpoint.checkpoint import Architecture, CheckpointError, Piece, TensorSource
from llq_format.exporting.checkpoint.keys import Keys

HUGGING_FACE_NAMES = {
    "bias": "model.layers.{}.self_attn.{}_proj.bias",
    "norm": "model.layers.{}.self_attn.{}_norm.weight",
}
GGUF_NAMES = {"bias": "blk.{}.attn_{}.bias", "norm": "blk.{}.attn_{}_norm.weight"}
HEAD_DIM_OF_QWEN3 = 128
"""Default of the configuration, which does not depend on the hidden size."""

FULL = "full_attention"


def from_huggingface(config: Keys, source: TensorSource) -> Architecture:
    """Return the architecture of a config.json with `model_type` qwen2 or qwen3; raises CheckpointError."""
    model_type = config.string("model_type")
    if config.boolean("use_sliding_window", default=False):
        raise config.error("use_sliding_window", "is true, but LLQ does not support sliding windows")
    if config.get("layer_types") is not None:
        others = sorted(set(config.array("layer_types", str)) - {FULL})
        if others:
            raise config.error("layer_types", f"has {others[0]!r}; supported is {FULL!r}")
    defaults = {"head_dim": HEAD_DIM_OF_QWEN3} if model_type == "qwen3" else {}
    values = {**config.values, **{key: config.get(key, value) for key, value in defaults.items()}}
    return _extended(
        llama.from_huggingface(Keys(values, config.file), source), model_type, HUGGING_FACE_NAMES
    )


def from_gguf(metadata: Keys, source: TensorSource) -> Architecture:
    """Return the architecture of a GGUF file of qwen2 or qwen3; raises CheckpointError."""
    name = metadata.string("general.architecture")
    return _extended(llama.from_gguf(_AsLlama(metadata, name), source), name, GGUF_NAMES)


class _AsLlama(Keys):
    """The metadata of a GGUF file, in which the keys of another architecture are found under `llama.`."""

    def __init__(self, metadata: Keys, architecture: str) -> None:
        self._architecture = architecture
        prefix = f"{architecture}."
        values = {
            f"llama.{key.removeprefix(prefix)}" if key.startswith(prefix) else key: value
            for key, value in metadata.values.items()
        }
        super().__init__(values, metadata.file)

    def error(self, key: str, complaint: str) -> CheckpointError:
        """Return the error of an unsuitable value, with the key that the file has."""
        return super().error(key.replace("llama.", f"{self._architecture}.", 1), complaint)


def _extended(base: Architecture, name: str, names: Mapping[str, str]) -> Architecture:
    """Return a Llama's architecture with the tensors and choices of a Qwen."""
    choices = {"qkv_bias": name == "qwen2", "weighted_qk_norm": name == "qwen3"}
    head_dim = base.model["head_dim"]
    pieces: dict[str, tuple[Piece, ...]] = {}
    for tensor, parts in base.pieces.items():
        pieces[tensor] = parts
        prefix, _, last = tensor.rpartition(".")
        if last != "qkv":
            continue
        # Conversion to GGUF leaves the rows of these architectures in the order of Hugging Face.
        pieces[tensor] = tuple(replace(part, rotary_heads=None) for part in parts)
        number = tensor.split(".")[1]
        if choices["qkv_bias"]:
            pieces[f"{prefix}.qkv_bias"] = tuple(
                Piece(names["bias"].format(number, letter), part.shape[:1])
                for letter, part in zip("qkv", parts, strict=True)
            )
        if choices["weighted_qk_norm"]:
            for letter in "qk":
                weight = Piece(names["norm"].format(number, letter), (head_dim,))
                pieces[f"{prefix}.{letter}_norm"] = (weight,)
    layers: list[dict[str, Any]] = [
        {**layer, "attention": {**layer["attention"], **choices}} for layer in base.model["layers"]
    ]
    return replace(base, name=name, model={**base.model, "layers": layers}, pieces=pieces)
