"""Families of models, in both forms, against transformers: logits of unrounded weights in binary64."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM, SeedOssConfig

from llq_format import validate
from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from llq_format.exporting.checkpoint.families import GGUF, HUGGING_FACE, UNSUPPORTED, listing
from llq_format.exporting.checkpoint.pre_tokenizers import PRE_TOKENIZERS
from llq_format.exporting.export import export
from tests.support.family_models import MODELS, SHAPE, TOKENS, YARN, logits, write_directory, write_gguf
from tests.support.numpy_decoder import tensors as package_tensors
from tests.support.plain_decoder import checkpoint_logits, relative_difference
from tests.support.repository import ROOT

TOLERANCE = 1e-6
"""Of logits, relative to the largest: frequencies are binary32, and transformers' angles too."""

IN_GGUF = [name for name, tiny in MODELS.items() if tiny.architecture]


@pytest.mark.parametrize("name", MODELS)
def test_directory_computes_what_transformers_computes(tmp_path: Path, name: str) -> None:
    model = MODELS[name].model()
    expected = logits(model)
    with open_checkpoint(write_directory(tmp_path, model)) as checkpoint:
        assert relative_difference(checkpoint_logits(checkpoint, TOKENS), expected) < TOLERANCE


@pytest.mark.parametrize("name", IN_GGUF)
def test_gguf_file_computes_what_transformers_computes(tmp_path: Path, name: str) -> None:
    tiny = MODELS[name]
    model = tiny.model()
    path = write_gguf(tmp_path / "model.gguf", tiny, model)
    with open_checkpoint(path, tokenizer=False) as checkpoint:
        assert relative_difference(checkpoint_logits(checkpoint, TOKENS), logits(model)) < TOLERANCE


@pytest.mark.parametrize("name", IN_GGUF)
def test_both_forms_have_the_same_tensors(tmp_path: Path, name: str) -> None:
    tiny = MODELS[name]
    model = tiny.model()
    path = write_gguf(tmp_path / "model.gguf", tiny, model)
    with (
        open_checkpoint(write_directory(tmp_path / "d", model)) as one,
        open_checkpoint(path, tokenizer=False) as other,
    ):
        assert one.model == other.model
        for tensor in ("embedding", "layers.0.attention.qkv", "layers.3.attention.output", "norm"):
            np.testing.assert_array_equal(one.load(tensor), other.load(tensor))


def changed(tmp_path: Path, name: str, **changes: Any) -> Path:
    """Write a directory and change its configuration; the value ... omits a key."""
    directory = write_directory(tmp_path, MODELS[name].model())
    path = directory / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))
    return directory


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        (
            "mistral",
            {"sliding_window": 64},
            "sliding_window is 64, shorter than the context of 128 positions",
        ),
        (
            "mistral",
            {"sliding_window": ..., "max_position_embeddings": 8192},
            "sliding_window is 4096, shorter",
        ),
        (
            "phi3",
            {"sliding_window": 100},
            "sliding_window is 100, shorter .* LLQ has no rule for sliding windows",
        ),
        ("phi3", {"rope_parameters": YARN}, "rope_type is 'yarn'; supported: 'default'"),
        ("phi3", {"partial_rotary_factor": 0.75}, "partial_rotary_factor is not 1, but LLQ rotates all"),
        ("smollm3", {"use_sliding_window": True, "sliding_window": 9}, "sliding_window is 9, shorter"),
        ("smollm3", {"no_rope_layers": [1, 0]}, "no_rope_layers has 2 elements, but the model has 5 layers"),
        ("granite", {"residual_multiplier": 0}, "residual_multiplier is 0, not a number"),
        ("granite", {"logits_scaling": -1}, "logits_scaling is -1, not a number"),
    ],
)
def test_properties_without_a_rule_are_named(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(changed(tmp_path, name, **changes))


def test_values_of_absent_keys_are_those_of_transformers(tmp_path: Path) -> None:
    """A configuration of SmolLM3 whose rotation and tied head are defaults."""
    directory = changed(
        tmp_path,
        "smollm3",
        rope_parameters=...,
        tie_word_embeddings=...,
        no_rope_layers=...,
        layer_types=...,
        sliding_window=...,
    )
    model: Any = AutoModelForCausalLM.from_pretrained(
        directory, dtype=torch.float64, attn_implementation="eager"
    )
    with open_checkpoint(directory) as checkpoint:
        assert relative_difference(checkpoint_logits(checkpoint, TOKENS), logits(model.eval())) < TOLERANCE


@pytest.mark.parametrize("name", ["granite-tied", "llama-yarn", "smollm3", "phi3", "helium"])
def test_package_is_valid_and_has_the_raw_tensors_of_its_checkpoint(tmp_path: Path, name: str) -> None:
    directory = write_directory(tmp_path / "c", MODELS[name].model())
    export(directory, tmp_path / "p", program=None, embedding="f32")
    assert [finding.code for finding in validate(tmp_path / "p")] == ["tokenizer-missing"]  # a warning
    model, tensors = package_tensors(tmp_path / "p")
    with open_checkpoint(directory) as checkpoint:
        assert model == checkpoint.model
        for tensor in ("embedding", "norm", "rope.inv_freq", "layers.4.ffn_norm"):
            np.testing.assert_array_equal(tensors[tensor], checkpoint.load(tensor))
        norm = np.linalg.norm(tensors["layers.1.attention.qkv"])
        assert norm == pytest.approx(np.linalg.norm(checkpoint.load("layers.1.attention.qkv")), rel=0.02)


def test_unsupported_models_exist_and_are_not_supported() -> None:
    assert set(CONFIG_MAPPING) >= set(UNSUPPORTED)
    assert not set(HUGGING_FACE) & set(UNSUPPORTED)


def test_seed_oss_has_biases() -> None:
    """The reason that a refusal of Seed-OSS states."""
    build: Any = AutoModelForCausalLM.from_config
    assert "model.layers.0.self_attn.q_proj.bias" in build(SeedOssConfig(**SHAPE)).state_dict()


def test_page_lists_every_family_and_every_refusal() -> None:
    page = (ROOT / "docs" / "architectures.md").read_text(encoding="utf-8")
    for name in (*MODELS, *HUGGING_FACE, *GGUF, *UNSUPPORTED, *PRE_TOKENIZERS):
        assert f"| {name} |" in page or f"`{name}`" in page, name
    for why in UNSUPPORTED.values():
        assert f"| {listing(why)} |" in page
