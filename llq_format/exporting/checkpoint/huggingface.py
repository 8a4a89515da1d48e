"""A Hugging Face directory: config.json, weights, and an optional tokenizer."""

from pathlib import Path

from llq_format.exporting.checkpoint import families, huggingface_tokenizer
from llq_format.exporting.checkpoint.checkpoint import Checkpoint
from llq_format.exporting.checkpoint.families import Family
from llq_format.exporting.checkpoint.keys import Keys, read_json
from llq_format.exporting.checkpoint.weight_files import open_weights


def open_directory(directory: Path, *, tokenizer: bool | Path) -> Checkpoint:
    """Open a directory; raises CheckpointError. A path `tokenizer` is another directory with a tokenizer."""
    config = read_json(directory / "config.json")
    family = _family(config)
    text = config if family.text_config is None else family.text_config(config)
    source = open_weights(directory)
    try:
        architecture = family.read(text, source)
        vocab_size = architecture.model["vocab_size"]
        place = tokenizer if isinstance(tokenizer, Path) else directory
        files = huggingface_tokenizer.read(place, text, vocab_size) if tokenizer else None
        return Checkpoint(architecture, source, files)
    except BaseException:
        source.close()
        raise


def _family(config: Keys) -> Family:
    model_type = config.string("model_type")
    if model_type not in families.HUGGING_FACE:
        raise config.error("model_type", families.refusal("model_type", model_type, families.HUGGING_FACE))
    family = families.HUGGING_FACE[model_type]
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
