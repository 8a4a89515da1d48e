"""A Hugging Face directory: config.json, weights, and perhaps a tokenizer."""

from collections.abc import Callable
from pathlib import Path

from llq_format.checkpoint import huggingface_tokenizer, llama
from llq_format.checkpoint.checkpoint import Architecture, Checkpoint
from llq_format.checkpoint.keys import Keys, read_json
from llq_format.checkpoint.weight_files import open_weights

FAMILIES: dict[str, tuple[str, Callable[[Keys], Architecture]]] = {
    "llama": ("LlamaForCausalLM", llama.from_huggingface),
}
"""By `model_type`: the one class that `architectures` may name, and what reads the rest of config.json."""


def open_directory(directory: Path, *, tokenizer: bool) -> Checkpoint:
    """Open a directory; raises CheckpointError."""
    config = read_json(directory / "config.json")
    architecture = _architecture(config)
    files = None
    if tokenizer:
        files = huggingface_tokenizer.read(directory, config, architecture.model["vocab_size"])
    source = open_weights(directory)
    try:
        return Checkpoint(architecture, source, files)
    except BaseException:
        source.close()
        raise


def _architecture(config: Keys) -> Architecture:
    model_type = config.string("model_type")
    if model_type not in FAMILIES:
        raise config.error("model_type", f"is {model_type!r}; supported are {', '.join(map(repr, FAMILIES))}")
    class_name, read = FAMILIES[model_type]
    if config.get("architectures", [class_name]) != [class_name]:
        raise config.error(
            "architectures", f"is {config.get('architectures')}; supported is ['{class_name}']"
        )
    if config.get("quantization_config") is not None:
        raise config.error(
            "quantization_config",
            "is present: these weights are quantized already; start from the original checkpoint",
        )
    return read(config)
