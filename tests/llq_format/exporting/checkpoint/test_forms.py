"""Forms of Hugging Face checkpoints: the logits of transformers, or a refusal that names the cause."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llq_format
from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from llq_format.exporting.export import export
from llq_format.format.quantize import QuantizeError
from llq_format.reference import Decoder
from tests.support.checkpoint_cases import grid, llama_weights, write_checkpoint, write_json
from tests.support.checkpoint_files import Arrays, write_safetensors

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TOKENS = [5, 66, 100, 303, 17, 250, 8, 41, 99, 260, 3, 7, 77, 128, 200, 201] * 2
CLOSE = 1e-6
"""Of logits, relative to the largest: weights are on the INT4 grid, and RoPE frequencies are binary32."""


def logits_of_transformers(directory: Path) -> Any:
    model = transformers.AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float64).eval()
    with torch.no_grad():
        return model(torch.tensor([TOKENS])).logits[0].numpy()


def exported(directory: Path) -> tuple[Any, list[str]]:
    """Return the logits of the package of a checkpoint, and the ids of warnings."""
    warnings: list[str] = []
    package = directory.with_name("package")
    export(
        directory, package, embedding="f32", program=None, on_warning=lambda found: warnings.append(found.id)
    )
    return Decoder(llq_format.open(package), mode="float").prefill(TOKENS), warnings


def check_logits(directory: Path, expected: Any, *warnings: str) -> None:
    logits, found = exported(directory)
    assert found == list(warnings)
    assert np.abs(logits - expected).max() <= CLOSE * np.abs(expected).max()


def plain(directory: Path) -> None:
    write_checkpoint(directory)


def tied_with_equal_head(directory: Path) -> None:
    weights = llama_weights()
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    write_checkpoint(directory, weights=weights, config={"tie_word_embeddings": True})


def tied_with_another_head(directory: Path) -> None:
    write_checkpoint(directory, config={"tie_word_embeddings": True})


def tied_with_a_head_that_differs_at_its_end(directory: Path) -> None:
    weights = llama_weights()
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    last = weights["lm_head.weight"][-1, -1]
    weights["lm_head.weight"][-1, -1] = 0 if last else 1 / 64
    write_checkpoint(directory, weights=weights, config={"tie_word_embeddings": True})


def pickled_as_before_torch_1_6(directory: Path) -> None:
    write_checkpoint(directory)
    (directory / "model.safetensors").unlink()
    state = {name: torch.from_numpy(array) for name, array in llama_weights().items()}
    torch.save(state, directory / "pytorch_model.bin", _use_new_zipfile_serialization=False)


def in_binary64(directory: Path) -> None:
    write_checkpoint(directory, config={"dtype": "float64"})
    weights = {name: array.astype(np.float64) for name, array in llama_weights().items()}
    write_safetensors(directory / "model.safetensors", weights, "F64")


def pickled_in_binary64(directory: Path) -> None:
    write_checkpoint(directory)
    (directory / "model.safetensors").unlink()
    state = {name: torch.from_numpy(array.astype(np.float64)) for name, array in llama_weights().items()}
    torch.save(state, directory / "pytorch_model.bin")


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
YARN_FACTOR = 0.1 * np.log(4) + 1
SHORT, LONG = [1.0 + i / 8 for i in range(8)], [2.0 + i for i in range(8)]
LONGROPE = {"rope_type": "longrope", "short_factor": SHORT, "long_factor": LONG}


def with_rope(
    directory: Path, parameters: dict[str, Any], weights: Arrays | None = None, **config: Any
) -> None:
    config["rope_parameters"] = {"rope_theta": 500000.0, **parameters}
    write_checkpoint(directory, weights=weights, config=config)


def rope_in_both_styles(directory: Path) -> None:
    with_rope(directory, LLAMA3, rope_theta=500000.0, rope_scaling=LLAMA3)


def rope_with_a_float_as_length(directory: Path) -> None:
    scaling = LLAMA3 | {"original_max_position_embeddings": 32.0}
    write_checkpoint(
        directory, config={"rope_parameters": ..., "rope_theta": 500000, "rope_scaling": scaling}
    )


def yarn_without_attention_factor(directory: Path) -> None:
    with_rope(directory, YARN | {"attention_factor": 1.0})


def yarn_with_an_attention_factor_on_the_grid(directory: Path) -> None:
    with_rope(directory, YARN | {"attention_factor": 2.0, "beta_fast": 16, "truncate": False})


def yarn_with_scaled_q_on_the_grid(directory: Path) -> None:
    """Write a checkpoint whose q is on the INT4 grid once it is multiplied by the square of the factor.

    Scales are rounded upward, so q is below the grid by the rounding of binary32.
    """
    weights = llama_weights()
    for n in range(2):
        weights[f"model.layers.{n}.self_attn.q_proj.weight"] /= np.float32(YARN_FACTOR**2 * (1 + 2.0**-22))
    with_rope(directory, YARN, weights=weights)


def longrope_within_the_original_context(directory: Path) -> None:
    with_rope(directory, LONGROPE | {"original_max_position_embeddings": 128})


def longrope_with_one_table(directory: Path) -> None:
    both = {"short_factor": LONG, "long_factor": LONG, "attention_factor": 2.0}
    with_rope(directory, LONGROPE | both | {"original_max_position_embeddings": 32})


def biases_of_zero(directory: Path) -> None:
    weights = llama_weights()
    for n in range(2):
        for name, rows in (("q", 64), ("k", 32), ("v", 32), ("o", 64)):
            weights[f"model.layers.{n}.self_attn.{name}_proj.bias"] = np.zeros(rows, np.float32)
    write_checkpoint(directory, weights=weights, config={"attention_bias": True})


def mistral_without_window(directory: Path) -> None:
    config = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", "sliding_window": None}
    write_checkpoint(directory, config=config)


FORMS: dict[Callable[[Path], None], tuple[str, ...]] = {
    plain: (),
    tied_with_equal_head: (),
    tied_with_another_head: ("head-differs",),
    tied_with_a_head_that_differs_at_its_end: ("head-differs",),
    pickled_as_before_torch_1_6: (),
    rope_in_both_styles: (),
    rope_with_a_float_as_length: (),
    yarn_without_attention_factor: (),
    yarn_with_an_attention_factor_on_the_grid: (),
    yarn_with_scaled_q_on_the_grid: (),
    longrope_within_the_original_context: (),
    longrope_with_one_table: (),
    biases_of_zero: (),
    mistral_without_window: (),
    in_binary64: (),
    pickled_in_binary64: (),
}


@pytest.mark.parametrize("write", FORMS)
def test_logits_are_those_of_transformers(write: Callable[[Path], None], tmp_path: Path) -> None:
    write(tmp_path / "checkpoint")
    check_logits(tmp_path / "checkpoint", logits_of_transformers(tmp_path / "checkpoint"), *FORMS[write])


@pytest.mark.parametrize("count", [1, 3])
def test_numbered_files_without_an_index(tmp_path: Path, count: int) -> None:
    directory = write_checkpoint(tmp_path / "checkpoint")
    expected = logits_of_transformers(directory)
    (directory / "model.safetensors").unlink()
    names = list(llama_weights())
    for n in range(count):
        part = {name: llama_weights()[name] for name in names[n::count]}
        write_safetensors(directory / f"model-{n + 1:05}-of-{count:05}.safetensors", part)
    check_logits(directory, expected)
    (directory / f"model-{count:05}-of-{count:05}.safetensors").rename(directory / "other")
    write_safetensors(directory / f"model-00001-of-{count + 1:05}.safetensors", {})
    with pytest.raises(
        CheckpointError, match=r"file model-00002-of-0000\d\.safetensors not found, and no index"
    ):
        open_checkpoint(directory)


def test_a_tensor_in_two_numbered_files_is_refused(tmp_path: Path) -> None:
    directory = write_checkpoint(tmp_path / "checkpoint")
    (directory / "model.safetensors").unlink()
    for n in (1, 2):
        write_safetensors(directory / f"model-0000{n}-of-00002.safetensors", llama_weights())
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002.*is in model-00001-of-00002.*too"):
        open_checkpoint(directory)


def renamed(rename: Callable[[str], str]) -> Arrays:
    return {rename(name): array for name, array in llama_weights().items()}


def with_tensors(**more: str) -> Arrays:
    """Return weights with a further tensor for each name and type of its layer's q_proj."""
    tensors = {f"model.layers.0.self_attn.q_proj.{name}": np.zeros((1,), np.float32) for name in more}
    return llama_weights() | tensors


def without(name: str) -> Arrays:
    return {key: array for key, array in llama_weights().items() if key != name}


ORIGINAL = "export the original checkpoint"
REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "quantization_config": (
        {"config": {"quantization_config": {"quant_method": "awq"}}},
        rf"config.json: quantization_config .* quantized by awq: {ORIGINAL}",
    ),
    "MLX": (
        {"config": {"quantization": {"bits": 4, "group_size": 64}}},
        rf"config.json: quantization .* quantized by MLX to 4 bits: {ORIGINAL}",
    ),
    "old GPTQ": (
        {"quantize_config": {"bits": 4, "group_size": 64}},
        rf"quantize_config.json: .* quantized by GPTQ to 4 bits: {ORIGINAL}",
    ),
    "old AWQ": ({"quant_config": {"w_bit": 4}}, rf"quant_config.json: .* quantized by AWQ: {ORIGINAL}"),
    "GPTQ by its tensors": ({"weights": with_tensors(qweight="")}, r"form of GPTQ or AWQ: .*q_proj\.qweight"),
    "compressed-tensors": ({"weights": with_tensors(weight_packed="")}, r"form of compressed-tensors"),
    "block-scaled FP8": ({"weights": with_tensors(weight_scale_inv="")}, r"FP8 or INT8 with scales"),
    "bitsandbytes": ({"weights": with_tensors(**{"weight.absmax": ""})}, r"quantized by bitsandbytes"),
    "MLX by its tensors": ({"weights": with_tensors(scales="")}, r"form of MLX"),
    "unmerged LoRA": (
        {"weights": with_tensors(**{"lora_A.default.weight": ""})},
        r"unmerged LoRA adapter: merge it",
    ),
    "compiled": (
        {"weights": renamed(lambda name: f"_orig_mod.{name}")},
        r"model\.embed_tokens\.weight not found, .*prefix '_orig_mod\.', .*remove the prefix",
    ),
    "no head": (
        {"weights": without("lm_head.weight")},
        r"lm_head\.weight not found, .*tie_word_embeddings is false: set it to true",
    ),
    "no norm": (
        {"weights": without("model.norm.weight")},
        r"model\.norm\.weight not found, .*is the download",
    ),
}


@pytest.mark.parametrize(("files", "message"), REFUSALS.values(), ids=REFUSALS)
def test_other_forms_are_refused_by_name(files: dict[str, Any], message: str, tmp_path: Path) -> None:
    directory = write_checkpoint(tmp_path / "checkpoint", **files)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(directory)


def test_fp8_without_scales_is_refused_by_name(tmp_path: Path) -> None:
    directory = write_checkpoint(tmp_path / "checkpoint")
    state = {name: torch.from_numpy(array) for name, array in llama_weights().items()}
    state["lm_head.weight"] = state["lm_head.weight"].to(torch.float8_e4m3fn)
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file(state, directory / "model.safetensors")
    with pytest.raises(
        CheckpointError, match=r"already quantized to FP8: .*tensor lm_head\.weight has type F8_E4M3"
    ):
        open_checkpoint(directory)


def test_an_adapter_is_refused_with_the_name_of_its_model(tmp_path: Path) -> None:
    write_json(tmp_path / "adapter_config.json", {"peft_type": "LORA", "base_model_name_or_path": "org/base"})
    with pytest.raises(CheckpointError, match="LoRA adapter of org/base: merge it into this model"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("method", ["rtn", "best"])
def test_a_large_weight_of_the_embedding_names_the_option(tmp_path: Path, method: Any) -> None:
    weights = llama_weights()
    weights["model.embed_tokens.weight"][3, 5] = 70000
    directory = write_checkpoint(tmp_path / "checkpoint", weights=weights)
    message = r"'embedding': the weight at row 3, column 5 is 70000, outside ±65504: use --embedding f32"
    with pytest.raises(QuantizeError, match=message):
        export(directory, tmp_path / "package", method=method, program=None)
    export(directory, tmp_path / "package", embedding="f32", program=None)


def test_q_has_the_square_of_the_attention_factor(tmp_path: Path) -> None:
    """Weights on the grid leave it only by the rounding of scales, which is upward in binary16."""
    with_rope(tmp_path / "checkpoint", YARN)
    weights = llama_weights()
    q, k, v = (weights[f"model.layers.1.self_attn.{name}_proj.weight"].astype(np.float64) for name in "qkv")
    expected = np.concatenate([q * YARN_FACTOR**2, k, v])
    with open_checkpoint(tmp_path / "checkpoint") as checkpoint:
        loaded = checkpoint.load("layers.1.attention.qkv")
    np.testing.assert_allclose(loaded, expected, rtol=2.0**-23)
    logits, _ = exported(tmp_path / "checkpoint")
    packed = llq_format.open(tmp_path / "package").get_packed("layers.1.attention.qkv").dequantize()
    np.testing.assert_allclose(packed, expected, rtol=2.0**-10)
    np.testing.assert_array_equal(packed[len(q) :], expected[len(q) :])
    original = logits_of_transformers(tmp_path / "checkpoint")
    assert np.abs(logits - original).max() <= 2.0**-10 * np.abs(original).max()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rope_type": "dynamic", "factor": 4.0}, "'dynamic', .*change with the length"),
        (LONGROPE | {"original_max_position_embeddings": 32}, "long_factor differs from short_factor"),
        (LONGROPE | {"short_factor": [1.0]}, "short_factor is not an array of 8 numbers"),
        (LONGROPE | {"long_factor": [*LONG[:-1], 0]}, r"long_factor\.7 is 0, not a number from"),
    ],
)
def test_frequencies_that_depend_on_the_length_are_refused(
    parameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with_rope(tmp_path / "checkpoint", parameters)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(tmp_path / "checkpoint")


def test_weights_are_on_the_grid() -> None:
    matrix = grid((130, 70), 3)
    packed = llq_format.quantize(matrix)
    np.testing.assert_array_equal(packed.dequantize(), matrix)


def test_json_of_an_adapter_next_to_a_model_is_no_adapter(tmp_path: Path) -> None:
    directory = write_checkpoint(tmp_path / "checkpoint")
    (directory / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    open_checkpoint(directory).close()
