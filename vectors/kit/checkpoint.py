"""Checkpoints of tiny models, and the contents of a package of each: the originals of an exporter's vectors.

A model's tensors are filled piece by piece (q, k, v, gate, up), each with a range of its own, so that no two
can be taken for each other; a package holds them fused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from vectors.kit.gguf import Value, gguf
from vectors.kit.model import table
from vectors.kit.noise import noise
from vectors.kit.safetensors import Tensor, safetensors
from vectors.kit.storage import Stored, stored
from vectors.kit.weights import between, named_seed

Json = Any
Rows = list[list[float]]
FUSED = {"qkv": ("q", "k", "v"), "gate_up": ("gate", "up")}

RANGES = {
    "embedding": (-1.0, 1.0),
    "lm_head": (-1.6, 1.2),
    "router": (-3.0, 3.0),
    "q": (-2.0, 1.6),
    "k": (-1.6, 2.0),
    "v": (-1.2, 1.4),
    "output": (-1.3, 1.7),
    "gate": (-2.0, 1.4),
    "up": (-1.3, 1.9),
    "down": (-1.5, 1.7),
}
"""Smallest and largest value of each kind of matrix, before a division by √cols except for the embedding."""


def pieces(model: dict[str, Json]) -> Iterator[tuple[str, tuple[int, ...], str]]:
    """Yield name, shape and the LLQ name of the whole, of each tensor that checkpoints store apart."""
    query, key = model["num_heads"] * model["head_dim"], model["num_kv_heads"] * model["head_dim"]
    for name, shape, _ in table(model):
        parent, _, last = name.rpartition(".")
        if last not in FUSED:
            if name != "rope.inv_freq":
                yield name, shape, name
            continue
        rows = (query, key, key) if last == "qkv" else (shape[0] // 2,) * 2
        for part, count in zip(FUSED[last], rows, strict=True):
            yield f"{parent}.{part}", (count, shape[1]), name


def fill(name: str, shape: tuple[int, ...]) -> Rows:
    """Return the rows of a piece; a vector is one row."""
    seed, last = named_seed(7, name), name.rpartition(".")[2]
    if len(shape) == 1:
        return [[between(seed, index, 0.5, 1.5) for index in range(shape[0])]]
    least, greatest = RANGES[last]
    width = 1.0 if last == "embedding" else math.sqrt(shape[1])
    return [
        [between(seed, row * shape[1] + col, least, greatest) / width for col in range(shape[1])]
        for row in range(shape[0])
    ]


Change = Callable[[str, Rows], Rows]
Dtype = Callable[[str], str]


def unchanged(_name: str, rows: Rows) -> Rows:
    """Return rows as they are."""
    return rows


@dataclass(frozen=True)
class Original:
    """A model as a checkpoint stores it; `change` alters stored values, `dtype` chooses their type."""

    model: dict[str, Json]
    dtype: Dtype = lambda _name: "F32"
    change: Change = unchanged
    inv_freq: Callable[[int], list[float]] | None = None
    pieces: dict[str, Stored] = field(init=False, repr=False)
    tensor_pieces: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Fill all pieces."""
        filled: dict[str, Stored] = {}
        tensor_pieces: dict[str, list[str]] = {}
        for name, shape, tensor in pieces(self.model):
            filled[name] = stored(self.dtype(name), shape, self.change(name, fill(name, shape)))
            tensor_pieces.setdefault(tensor, []).append(name)
        object.__setattr__(self, "pieces", filled)
        object.__setattr__(self, "tensor_pieces", tensor_pieces)

    def weights(self) -> dict[str, Rows]:
        """Return the rows of each tensor of a package, `rope.inv_freq` excepted."""
        return {
            tensor: [row for part in parts for row in self.pieces[part].values]
            for tensor, parts in self.tensor_pieces.items()
        }


def document(value: Json) -> bytes:
    """Return a JSON file."""
    return (json.dumps(value, indent=2) + "\n").encode()


HUGGING_FACE = {
    "embedding": "model.embed_tokens.weight",
    "norm": "model.norm.weight",
    "lm_head": "lm_head.weight",
    "attention_norm": "input_layernorm.weight",
    "ffn_norm": "post_attention_layernorm.weight",
    "attention.q": "self_attn.q_proj.weight",
    "attention.k": "self_attn.k_proj.weight",
    "attention.v": "self_attn.v_proj.weight",
    "attention.output": "self_attn.o_proj.weight",
}
GATED = {"gate": "gate_proj.weight", "up": "up_proj.weight", "down": "down_proj.weight"}
GGUF = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "lm_head": "output.weight",
    "attention_norm": "attn_norm.weight",
    "ffn_norm": "ffn_norm.weight",
    "attention.q": "attn_q.weight",
    "attention.k": "attn_k.weight",
    "attention.v": "attn_v.weight",
    "attention.output": "attn_output.weight",
    "ffn.gate": "ffn_gate.weight",
    "ffn.up": "ffn_up.weight",
    "ffn.down": "ffn_down.weight",
}


def in_layer(name: str) -> tuple[str, str]:
    """Return the number of the layer that a piece belongs to, or nothing, and the rest of its name."""
    if not name.startswith("layers."):
        return "", name
    _, number, suffix = name.split(".", 2)
    return number, suffix


def hugging_face_name(name: str, ffn: str) -> str:
    """Return how a Hugging Face checkpoint calls a piece; `ffn` is mlp or feed_forward."""
    number, suffix = in_layer(name)
    if not number:
        return HUGGING_FACE[suffix]
    if suffix in HUGGING_FACE:
        return f"model.layers.{number}.{HUGGING_FACE[suffix]}"
    *path, last = suffix.split(".")[1:]
    inner = "".join(f"{'shared_expert' if step == 'shared' else step}." for step in path)
    return f"model.layers.{number}.{ffn}.{inner}{'router.weight' if last == 'router' else GATED[last]}"


def hugging_face(original: Original, ffn: str = "mlp") -> dict[str, Tensor]:
    """Return the tensors of a model by their names in a Hugging Face checkpoint, experts one by one."""
    return {
        hugging_face_name(name, ffn): (piece.dtype, piece.shape, piece.data)
        for name, piece in original.pieces.items()
    }


def stacked(original: Original) -> dict[str, Tensor]:
    """Return the same of Llama 4, experts of a layer together and transposed: [E, H, 2I], [E, I, H]."""
    tensors = hugging_face(original, "feed_forward")
    for index, layer in enumerate(original.model["layers"]):
        moe = layer["ffn"]["moe"]
        if moe is None:
            continue
        for last, parts in (("gate_up_proj", ("gate", "up")), ("down_proj", ("down",))):
            data, shape = b"", (0, 0)
            for expert in range(moe["num_experts"]):
                names = [f"layers.{index}.ffn.experts.{expert}.{part}" for part in parts]
                for name in names:
                    del tensors[hugging_face_name(name, "feed_forward")]
                rows = [row for name in names for row in original.pieces[name].values]
                columns = [list(column) for column in zip(*rows, strict=True)]
                shape = (len(columns), len(rows))
                data += stored(original.pieces[names[0]].dtype, shape, columns).data
            dtype = original.pieces[names[0]].dtype
            name = f"model.layers.{index}.feed_forward.experts.{last}"
            tensors[name] = dtype, (moe["num_experts"], *shape), data
    return tensors


def llama_config(model: dict[str, Json], **changes: Json) -> dict[str, Json]:
    """Return the configuration of a dense Llama, some of its members changed."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": model["layers"][0]["ffn"]["activation"],
        "hidden_size": model["hidden_size"],
        "intermediate_size": model["layers"][0]["ffn"]["intermediate_size"],
        "max_position_embeddings": model["context_length"],
        "num_attention_heads": model["num_heads"],
        "num_hidden_layers": len(model["layers"]),
        "num_key_value_heads": model["num_kv_heads"],
        "head_dim": model["head_dim"],
        "rms_norm_eps": model["rms_norm_eps"],
        "rope_theta": 10000.0,
        "tie_word_embeddings": model["tied_embeddings"],
        "vocab_size": model["vocab_size"],
        **changes,
    }


def one_file(tensors: dict[str, Tensor], config: dict[str, Json]) -> dict[str, bytes]:
    """Return the files of a directory with all tensors in one."""
    return {"config.json": document(config), "model.safetensors": safetensors(tensors)}


def two_files(tensors: dict[str, Tensor], config: dict[str, Json]) -> dict[str, bytes]:
    """Return the files of a directory with every other tensor in the first of two files."""
    names = list(tensors)
    files = {f"model-0000{n + 1}-of-00002.safetensors": names[n::2] for n in range(2)}
    index = {name: file for file, names in files.items() for name in names}
    total = sum(len(data) for _, _, data in tensors.values())
    return {
        "config.json": document(config),
        "model.safetensors.index.json": document({"metadata": {"total_size": total}, "weight_map": index}),
        **{file: safetensors({name: tensors[name] for name in names}) for file, names in files.items()},
    }


def gguf_file(original: Original, **changes: Value) -> bytes:
    """Return the GGUF file of a dense Llama, some of its keys changed; rows of q and k are in pairs."""
    model = original.model
    heads = {"attention.q": model["num_heads"], "attention.k": model["num_kv_heads"]}
    tensors = {}
    for name, piece in original.pieces.items():
        number, suffix = in_layer(name)
        rows = piece.rows
        if suffix in heads:
            rows = [rows[index] for index in paired(len(rows), heads[suffix])]
        tensors[f"blk.{number}.{GGUF[suffix]}" if number else GGUF[suffix]] = (
            piece.dtype,
            piece.shape,
            b"".join(rows),
        )
    metadata: dict[str, Value] = {
        "general.architecture": "llama",
        "llama.block_count": len(model["layers"]),
        "llama.context_length": model["context_length"],
        "llama.embedding_length": model["hidden_size"],
        "llama.feed_forward_length": model["layers"][0]["ffn"]["intermediate_size"],
        "llama.attention.head_count": model["num_heads"],
        "llama.attention.head_count_kv": model["num_kv_heads"],
        "llama.attention.layer_norm_rms_epsilon": model["rms_norm_eps"],
        "llama.rope.dimension_count": model["head_dim"],
        "llama.rope.freq_base": 10000.0,
        "llama.vocab_size": model["vocab_size"],
        **letters(model["vocab_size"]),
    }
    return gguf({**metadata, **{key.replace("__", "."): value for key, value in changes.items()}}, tensors)


def letters(vocab_size: int) -> dict[str, Value]:
    """Return a tokenizer of `vocab_size` − 1 letters and one merge of the first two, as GGUF describes it."""
    tokens = [chr(ord("a") + index) for index in range(vocab_size - 1)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": [*tokens, "ab"],
        "tokenizer.ggml.token_type": [1] * vocab_size,
        "tokenizer.ggml.merges": ["a b"],
    }


def paired(rows: int, heads: int) -> list[int]:
    """Return which row comes where in GGUF: elements i and i + D/2 of a head become neighbours."""
    half = rows // heads // 2
    return [
        head * 2 * half + side * half + i for head in range(heads) for i in range(half) for side in (0, 1)
    ]


def token_ids(model: dict[str, Json], count: int) -> list[int]:
    """Return some tokens of a model."""
    return [noise(99, index) % model["vocab_size"] for index in range(count)]
