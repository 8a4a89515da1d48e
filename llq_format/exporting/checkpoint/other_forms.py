"""Checkpoints that are not the weights of a model as it was trained: quantized models and adapters.

Each is refused by the name of its form.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, StoredTensor, TensorSource
from llq_format.exporting.checkpoint.keys import Keys, read_json

_ORIGINAL = "export the original checkpoint"
_TENSORS = (
    (r".*\.lora_[AB](\..*)?", "has an unmerged LoRA adapter: merge it into the model (merge_and_unload)"),
    (r".*\.weight_packed", f"is already quantized, in the form of compressed-tensors: {_ORIGINAL}"),
    (r".*\.(g_idx|qweight)", f"is already quantized, in the form of GPTQ or AWQ: {_ORIGINAL}"),
    (r".*\.weight\.(absmax|quant_state\..*)", f"is already quantized by bitsandbytes: {_ORIGINAL}"),
    (r".*\.weight_scale(_inv)?", f"is already quantized to FP8 or INT8 with scales: {_ORIGINAL}"),
    (r".*_proj\.scales", f"is already quantized, in the form of MLX: {_ORIGINAL}"),
)
"""Names of tensors that only such checkpoints have, the first match decides."""


def check_directory(directory: Path) -> None:
    """Refuse a directory with an adapter instead of a model; raises CheckpointError."""
    path = directory / "adapter_config.json"
    if not path.is_file() or (directory / "config.json").is_file():
        return
    adapter = read_json(path)
    kind = adapter.string("peft_type", "PEFT")
    kind = {"LORA": "LoRA"}.get(kind, kind)
    base = adapter.string("base_model_name_or_path", "the base model")
    raise CheckpointError(
        f"{directory}: {kind} adapter of {base}: merge it into this model (merge_and_unload), and export the "
        "merged checkpoint"
    )


def check_config(directory: Path, config: Keys) -> None:
    """Refuse a quantized model that a configuration names; raises CheckpointError."""
    quantization = config.section("quantization_config")
    if quantization is not None:
        name = quantization.string("quant_method", "a method without name")
        raise config.error(
            "quantization_config", f"is present: the weights are already quantized by {name}: {_ORIGINAL}"
        )
    mlx = config.section("quantization")
    if mlx is not None:
        raise config.error(
            "quantization", f"is present: the weights are already quantized by MLX{_bits(mlx)}: {_ORIGINAL}"
        )
    path = directory / "quantize_config.json"
    if path.is_file():
        raise CheckpointError(
            f"{path}: the weights are already quantized by GPTQ{_bits(read_json(path))}: {_ORIGINAL}"
        )
    path = directory / "quant_config.json"
    if path.is_file():
        raise CheckpointError(f"{path}: the weights are already quantized by AWQ: {_ORIGINAL}")


def check_tensors(source: TensorSource) -> None:
    """Refuse weights of another form, which names or types of tensors show; raises CheckpointError."""
    tensors: Mapping[str, StoredTensor] = source.tensors
    for pattern, cause in _TENSORS:
        for name, stored in tensors.items():
            if re.fullmatch(pattern, name):
                raise CheckpointError(f"{stored.file}: the model {cause} (tensor {name})")
    for name, stored in tensors.items():
        if stored.dtype.lower().startswith(("f8_", "float8_")):
            raise CheckpointError(
                f"{stored.file}: the model is already quantized to FP8: {_ORIGINAL} (tensor {name} has type "
                f"{stored.dtype})"
            )


def _bits(keys: Keys) -> str:
    bits = keys.get("bits")
    return "" if bits is None else f" to {bits} bits"
