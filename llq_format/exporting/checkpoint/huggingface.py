"""A Hugging Face directory: config.json, weights, and an optional tokenizer."""

from collections.abc import Iterator
from pathlib import Path

from llq_format.exporting.checkpoint import bounded_tokenizers, families, other_forms
from llq_format.exporting.checkpoint.checkpoint import Checkpoint
from llq_format.exporting.checkpoint.families import Family
from llq_format.exporting.checkpoint.keys import Keys, read_json
from llq_format.exporting.checkpoint.untied_head import with_own_head
from llq_format.exporting.checkpoint.warnings import ExportWarning, warning
from llq_format.exporting.checkpoint.weight_files import open_weights


def open_directory(directory: Path, *, tokenizer: bool | Path) -> Checkpoint:
    """Open a directory; raises CheckpointError.

    `tokenizer` as a path is a tokenizer.json or a tokenizer.model.
    """
    other_forms.check_directory(directory)
    config = read_json(directory / "config.json")
    other_forms.check_config(directory, config)
    family = _family(config)
    text = config if family.text_config is None else family.text_config(config)
    source = open_weights(directory)
    try:
        other_forms.check_tensors(source)
        architecture, head_warnings = with_own_head(family.read(text, source), source)
        vocab_size = architecture.model["vocab_size"]
        warnings = [*head_warnings, *_code_warnings(config)]
        files = None
        if tokenizer:
            place = tokenizer if isinstance(tokenizer, Path) else directory
            files, found = bounded_tokenizers.of_files(place, text, vocab_size)
            warnings += found
        return Checkpoint(architecture, source, files, warnings)
    except BaseException:
        source.close()
        raise


def _code_warnings(config: Keys) -> Iterator[ExportWarning]:
    auto_map = config.section("auto_map")
    if auto_map is not None and auto_map.values:
        classes = ", ".join(f"{name}: {auto_map.values[name]}" for name in sorted(auto_map.values))
        yield warning("custom-code", classes=classes)


def _family(config: Keys) -> Family:
    model_type = config.string("model_type")
    if model_type not in families.HUGGING_FACE:
        raise config.error("model_type", families.refusal("model_type", model_type, families.HUGGING_FACE))
    family = families.HUGGING_FACE[model_type]
    if config.get("architectures", [family.class_name]) != [family.class_name]:
        raise config.error(
            "architectures", f"is {config.get('architectures')}; supported is ['{family.class_name}']"
        )
    return family
