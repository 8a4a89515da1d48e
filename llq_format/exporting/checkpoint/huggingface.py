"""A Hugging Face directory: config.json, weights, and an optional tokenizer."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from llq_format.exporting.checkpoint import huggingface_tokenizer, llama, llama4, qwen
from llq_format.exporting.checkpoint.checkpoint import Architecture, Checkpoint, TensorSource
from llq_format.exporting.checkpoint.keys import Keys, read_json
from llq_format.exporting.checkpoint.weight_files import open_weights


@dataclass(frozen=True)
class Family:
    """The meaning of a `model_type`.

    `class_name` is the only class that `architectures` may name. `read` derives the architecture from the
    configuration of the text decoder and the weights. `text_config` finds that configuration inside a larger
    one.
    """

    class_name: str
    read: Callable[[Keys, TensorSource], Architecture]
    text_config: Callable[[Keys], Keys] | None = None


FAMILIES = {
    "llama": Family("LlamaForCausalLM", llama.from_huggingface),
    "llama4": Family("Llama4ForConditionalGeneration", llama4.from_huggingface, llama4.text_config),
    "llama4_text": Family("Llama4ForCausalLM", llama4.from_huggingface),
    "qwen2": Family("Qwen2ForCausalLM", qwen.from_huggingface),
    "qwen3": Family("Qwen3ForCausalLM", qwen.from_huggingface),
}
"""By `model_type`."""


def open_directory(directory: Path, *, tokenizer: bool) -> Checkpoint:
    """Open a directory; raises CheckpointError."""
    config = read_json(directory / "config.json")
    family = _family(config)
    text = config if family.text_config is None else family.text_config(config)
    source = open_weights(directory)
    try:
        architecture = family.read(text, source)
        vocab_size = architecture.model["vocab_size"]
        files = huggingface_tokenizer.read(directory, text, vocab_size) if tokenizer else None
        return Checkpoint(architecture, source, files)
    except BaseException:
        source.close()
        raise


def _family(config: Keys) -> Family:
    model_type = config.string("model_type")
    if model_type not in FAMILIES:
        raise config.error("model_type", f"is {model_type!r}; supported are {', '.join(map(repr, FAMILIES))}")
    family = FAMILIES[model_type]
    if config.get("architectures", [family.class_name]) != [family.class_name]:
        raise config.error(
            "architectures", f"is {config.get('architectures')}; supported is ['{family.class_name}']"
        )
    if config.get("quantization_config") is not None:
        raise config.error(
            "quantization_config",
            "is present: these weights are already quantized: export the original checkpoint",
        )
    return family
