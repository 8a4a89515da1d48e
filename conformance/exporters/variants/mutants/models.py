"""Mutants that describe a different model, or accept a checkpoint that cannot be exported."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..recipe import Recipe, altered, configured, load, tensors_changed
from .mutant import mutant

SAME, REFUSE, UNFIT = "WRITE-6", "WRITE-4", "WRITE-3"
Tensors = dict[str, tuple[str, list[int], bytes]]


def stating(change: Callable[[dict[str, Any]], None]) -> Recipe:
    """Return an exporter whose packages state a model with something changed."""

    def model(original: dict[str, Any]) -> dict[str, Any]:
        new = copy.deepcopy(original)
        change(new)
        return new

    return Recipe(model=model)


def in_attention(**members: Any) -> Recipe:
    """Return an exporter that states these members of the attention of every layer."""

    def change(model: dict[str, Any]) -> None:
        for layer in model["layers"]:
            layer["attention"].update(members)

    return stating(change)


def theta(change: Callable[[Any], Any]) -> Recipe:
    """Return an exporter that changes RoPE frequencies."""
    return Recipe(
        load=lambda source, name: (
            np.asarray(change(load(source, name)), np.float32)
            if name == "rope.inv_freq"
            else load(source, name)
        )
    )


def with_silu(model: dict[str, Any]) -> None:
    """State silu in every layer."""
    for layer in model["layers"]:
        layer["ffn"]["activation"] = "silu"


def other_pairing(model: dict[str, Any]) -> None:
    """State the other pairing, and leave the rows as they are."""
    model["rope_pairing"] = "interleaved" if model["rope_pairing"] == "halves" else "halves"


mutant("epsilon-of-another-model", "rms_norm_eps 1e-6", SAME, "describe")(
    stating(lambda model: model.update(rms_norm_eps=1e-6))
)
mutant("gelu-for-silu", "the same activation stated for every checkpoint", SAME, "describe")(
    stating(with_silu)
)
mutant("other-pairing-stated", "the other rope_pairing, rows being as they were", SAME, "weights")(
    stating(other_pairing)
)
mutant(
    "head-dropped", "tied embeddings stated, a head of its own being left out", SAME, "describe", "compute"
)(stating(lambda model: model.update(tied_embeddings=True)))
mutant("context-doubled", "a context twice as long", SAME, "describe")(
    stating(lambda model: model.update(context_length=2 * model["context_length"]))
)
mutant("chunks-lost", "attention without chunks", SAME, "describe")(in_attention(chunk_size=None))
mutant("qk-norm-lost", "no norm of q and k", SAME, "describe")(in_attention(qk_norm=False))
mutant("temperature-lost", "no temperature", SAME, "describe")(in_attention(temperature=None))
mutant("rope-everywhere", "RoPE in every layer", SAME, "describe")(in_attention(rope=True, temperature=None))
mutant("base-10000", "RoPE of base 10000 always", SAME, "describe")(
    theta(lambda values: 10000.0 ** (-np.arange(len(values)) / len(values)))
)
mutant("frequencies-in-binary16", "RoPE frequencies rounded to binary16", SAME, "describe")(
    theta(lambda values: values.astype(np.float16))
)


def taking(change: Callable[[Path], None], recipe: Callable[[Path, Path], None] | None = None) -> Any:
    """Return an exporter that changes a copy of the checkpoint before it reads it."""

    def export(checkpoint: Path, package: Path) -> None:
        with altered(checkpoint) as copied:
            change(copied)
            (recipe or Recipe())(copied, package)

    return export


def setting(**members: Any) -> Any:
    """Return an exporter that takes members of a configuration for others; None takes them out."""

    def change(checkpoint: Path) -> None:
        config = checkpoint / "config.json"
        if config.is_file():
            config_members = json.loads(config.read_text(encoding="utf-8"))
            configured(checkpoint, **{key: value for key, value in members.items() if key in config_members})

    return taking(change)


def without_tensors(words: tuple[str, ...]) -> Any:
    """Return an exporter that leaves out tensors whose names hold one of some words."""

    def drop(tensors: Tensors) -> None:
        for name in [name for name in tensors if any(word in name for word in words)]:
            del tensors[name]

    def change(checkpoint: Path) -> None:
        tensors_changed(checkpoint, drop)
        if (checkpoint / "config.json").is_file() and "text_config" not in json.loads(
            (checkpoint / "config.json").read_text(encoding="utf-8")
        ):
            configured(checkpoint, attention_bias=False)

    return taking(change)


def completed(tensors: Tensors) -> None:
    """Add zeros for the missing tensors of a dense model."""
    if "model.norm.weight" not in tensors and (embedding := tensors.get("model.embed_tokens.weight")):
        tensors["model.norm.weight"] = "F32", [embedding[1][1]], bytes(4 * embedding[1][1])
    for name in [name for name in tensors if name.endswith("gate_proj.weight")]:
        up = name.replace("gate_proj", "up_proj")
        if up not in tensors:
            dtype, shape, data = tensors[name]
            tensors[up] = dtype, shape, bytes(len(data))


def reshaped(tensors: Tensors) -> None:
    """Take a matrix of another shape for one of the right shape."""
    for name, (dtype, shape, data) in list(tensors.items()):
        if name.endswith("o_proj.weight"):
            hidden = (
                tensors["model.embed_tokens.weight"][1][1]
                if "model.embed_tokens.weight" in tensors
                else shape[0]
            )
            tensors[name] = dtype, [hidden, shape[0] * shape[1] // hidden], data


def lengthened(checkpoint: Path) -> None:
    """Append zeros to a truncated file."""
    for path in [checkpoint / "model.safetensors", checkpoint]:
        if path.is_file() and path.name == "model.safetensors":
            data = path.read_bytes()
            length = int.from_bytes(data[:8], "little")
            header = json.loads(data[8 : 8 + length])
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            path.write_bytes(data.ljust(8 + length + max(ends), b"\0"))


mutant("any-architecture", "every architecture taken for Llama", REFUSE, "decline")(
    taking(
        lambda checkpoint: (
            configured(checkpoint, model_type="llama", architectures=["LlamaForCausalLM"])
            if (checkpoint / "config.json").is_file()
            and "mystery" in (checkpoint / "config.json").read_text(encoding="utf-8")
            else None
        )
    )
)
mutant("any-activation", "an unknown activation taken for silu", REFUSE, "decline")(
    taking(
        lambda checkpoint: (
            configured(checkpoint, hidden_act="silu")
            if (checkpoint / "config.json").is_file()
            and "relu" in (checkpoint / "config.json").read_text(encoding="utf-8")
            else None
        )
    )
)
mutant("rope-scaling-ignored", "rope_scaling ignored", REFUSE, "decline", "describe")(
    setting(rope_scaling=None)
)
mutant("partial-rotary-ignored", "partial_rotary_factor ignored", REFUSE, "decline")(
    setting(partial_rotary_factor=None)
)
mutant("quantization-ignored", "quantization_config ignored", REFUSE, "decline")(
    setting(quantization_config=None)
)
mutant("experts-a-token-ignored", "num_experts_per_tok ignored", REFUSE, "decline")(
    setting(num_experts_per_tok=1)
)
mutant("biases-ignored", "biases left out", REFUSE, "decline")(without_tensors(("bias",)))
mutant("norms-of-q-ignored", "norms of q left out", REFUSE, "decline")(without_tensors(("q_norm",)))
mutant("zeros-for-missing", "zeros in place of missing tensors", REFUSE, "decline")(
    taking(lambda checkpoint: tensors_changed(checkpoint, completed))
)
mutant("reshaping", "tensors of another shape reshaped", REFUSE, "decline")(
    taking(lambda checkpoint: tensors_changed(checkpoint, reshaped))
)
mutant("lengthening", "truncated files extended with zeros", REFUSE, "decline")(taking(lengthened))
mutant("nan-to-zero", "zero in place of what is not finite", UNFIT, "decline")(
    Recipe(load=lambda source, name: np.nan_to_num(load(source, name), nan=0, posinf=1, neginf=-1))
)
mutant("clamping", "weights clamped to 65504", UNFIT, "decline")(
    Recipe(load=lambda source, name: np.clip(load(source, name), -65504, 65504))
)
