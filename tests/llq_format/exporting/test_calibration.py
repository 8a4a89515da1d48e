"""Calibration: the text as token ids, its record in the package, and scaling by it."""

import json
from pathlib import Path

import numpy as np
import pytest

from llq_format.exporting.calibration import RECIPES, Calibrated, Calibration, calibration, first_streams
from llq_format.exporting.calibration.awq import scale_columns
from llq_format.exporting.calibration.inputs import Recorder, gram
from llq_format.exporting.calibration.tokens import sequences
from llq_format.exporting.transforms import TransformedModel, orthogonal
from llq_format.format.quantize import PackedTensor
from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.reference.batch import multiplied_by, run_layer
from tests.llq_format.exporting.test_transforms import DENSE, MODELS, TOKENS, random_tensors


def word_tokenizer(bos: int | None) -> TokenizerFiles:
    """Return a tokenizer that knows two words."""
    model = {"type": "WordLevel", "vocab": {"[UNK]": 0, "the": 1, "and": 2}, "unk_token": "[UNK]"}
    text = json.dumps({"version": "1.0", "model": model, "pre_tokenizer": {"type": "Whitespace"}})
    return TokenizerFiles(text.encode(), bos, (), None)


def test_the_builtin_text_fills_many_sequences() -> None:
    text = calibration("builtin", word_tokenizer(bos=2), 3, 8192)
    assert text.tokens.shape[1] == 512
    assert len(text.tokens) >= 16
    assert (text.tokens[:, 0] == 2).all()
    assert set(np.unique(text.tokens)) == {0, 1, 2}
    assert text.source == "builtin"
    repeated = calibration("builtin", word_tokenizer(bos=2), 3, 8192)
    assert text.to_json() == repeated.to_json()


def test_a_file_of_text_is_read_up_to_a_limit(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("the and " * 100)
    text: Calibration = calibration(file, word_tokenizer(bos=None), 3, 16, 64)
    assert text.tokens.tolist() == [[1, 2] * 8] * 4
    assert text.source == "words.txt"


def test_sequences_drop_a_rest_and_keep_short_texts() -> None:
    ids = np.arange(10)
    assert sequences(ids, 4, None).tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert sequences(ids, 4, 99).tolist() == [[99, 0, 1, 2], [99, 3, 4, 5], [99, 6, 7, 8]]
    assert sequences(ids, 64, None).tolist() == [list(range(10))]


def test_gram_is_the_sum_of_outer_products() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 5000, 7)).astype(np.float32)
    assert np.allclose(gram(x), x.astype(np.float64).T @ x, rtol=1e-4, atol=1e-2)
    assert np.allclose(gram(x, y), x.astype(np.float64).T @ y, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("architecture", MODELS)
def test_scaled_columns_keep_the_function(architecture: str) -> None:
    model, tensors = MODELS[architecture], random_tensors(MODELS[architecture])
    source = TransformedModel(model, tensors.__getitem__, [])
    x = source.embedding()[TOKENS]
    changed = 0.0
    for number, layer in enumerate(model.layers):
        plain, scaled = source.layer(number), source.layer(number)
        recorder = Recorder(plain)
        before = run_layer(model, layer, plain, tensors["rope.inv_freq"], x, multiply=recorder)
        scale_columns(model, number, scaled, recorder.inputs, "affine")
        after = run_layer(model, layer, scaled, tensors["rope.inv_freq"], x, multiply=multiplied_by(scaled))
        assert np.abs(after - before).max() < 1e-12 * np.abs(before).max()
        changed += float(np.abs(scaled["attention.qkv"] - plain["attention.qkv"]).max())
        x = before
    assert changed > 0


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_matrix_of_every_architecture_is_rounded(method: str, model: object) -> None:
    """Of Llama 4 also the experts that no token reaches: one sequence of two tokens leaves some."""
    assert isinstance(model, type(DENSE))
    tensors = random_tensors(model)
    recipe = RECIPES[method]
    source = TransformedModel(model, tensors.__getitem__, recipe.transforms(model, 0))
    calibrated = Calibrated(source, recipe, "affine", tensors["rope.inv_freq"])
    calibrated.streams = first_streams(source, TOKENS[:1, :2])
    for number in range(len(model.layers)):
        plain = source.layer(number)
        rounded = calibrated.layer(number)
        assert list(rounded) == list(plain)
        for name, tensor in rounded.items():
            raw = name.endswith(("norm", "qkv_bias")) or name == "ffn.router"
            assert isinstance(tensor, PackedTensor) != raw
            assert tensor.shape == plain[name].shape
            if isinstance(tensor, PackedTensor) and method != "awq":
                error = np.square(tensor.dequantize() - plain[name]).sum()
                assert error < 0.5 * np.square(plain[name]).sum(), name
    assert np.isfinite(calibrated.streams).all()


def test_the_head_is_corrected_for_the_rounded_stream() -> None:
    """Of a rounded stream that is the original's, turned, half of the way to the head turned likewise."""
    tensors, recipe = random_tensors(DENSE), RECIPES["best"]
    source = TransformedModel(DENSE, tensors.__getitem__, recipe.transforms(DENSE, 0))
    rng = np.random.default_rng(8)
    turn = orthogonal(48, rng)
    original = rng.standard_normal((4, 200, 48))
    streams = np.concatenate([original, original @ turn.T]).astype(np.float32)
    norm, head = source.head()
    actual = Calibrated(source, recipe, "affine", None, streams).head(norm, head)
    half_way = (head + head @ turn.T) / 2
    assert np.abs(actual - half_way).max() < 0.02 * np.abs(head).max()  # damping takes 1 % of the change
    plain = Calibrated(source, RECIPES["gptq"], "affine", None, streams).head(norm, head)
    assert (plain == head.astype(np.float32)).all()
