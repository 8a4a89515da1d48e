"""`llq eval`: figures of packages whose distance from the original is known."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import llq_format
from llq_format.evaluation import evaluate
from llq_format.evaluation.rounded_inputs import rounded_inputs
from llq_format.evaluation.statistics import Positions, estimate, student
from llq_format.exporting.checkpoint import open_checkpoint
from llq_format.exporting.export import export
from llq_format.reference import Decoder
from llq_format.reference.ops import softmax
from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.command_line import llq, tiny

pytestmark = pytest.mark.slow

TOKENS = np.random.default_rng(8).integers(0, 160, (3, 40))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dense Llama of three layers, near enough to a trained one that rounding does not upset it."""
    directory = write_checkpoint(
        tmp_path_factory.mktemp("eval") / "checkpoint", hidden=128, layers=3, vocab=160
    )
    tensors = load_file(directory / "model.safetensors")
    for name, tensor in tensors.items():
        if tensor.ndim == 2:
            tensors[name] = tensor / np.float32(np.sqrt(tensor.shape[1]))
    save_file(tensors, directory / "model.safetensors")
    return directory


def test_figures_are_those_of_the_reference_decoder(checkpoint: Path, tmp_path: Path) -> None:
    """The divergence of both executions, from logits that the reference computes token by token."""
    export(checkpoint, tmp_path / "p", program=None)
    with llq_format.open(tmp_path / "p") as package, open_checkpoint(checkpoint) as source:
        evaluation = evaluate(package, source, TOKENS)
        assert package.metadata.model is not None
        assert package.metadata.model.fp16_layers == 2  # the third layer has INT8 inputs
        decoders = {"weights": Decoder(package, mode="float"), "exact": Decoder(package)}
        logits = {
            name: np.stack([decoder.prefill(ids.tolist())[:-1] for ids in TOKENS])
            for name, decoder in decoders.items()
        }
        original = evaluation.original_perplexity
    following = TOKENS[:, 1:, None]
    for name, values in logits.items():
        q = softmax(values)
        loss = -np.log(np.take_along_axis(q, following, axis=-1)).mean()
        score = evaluation.scores[name]
        assert score.perplexity.value == pytest.approx(math.exp(loss), rel=1e-3)
        assert score.change.value == pytest.approx(math.exp(loss) / original - 1, abs=2e-3)
    assert evaluation.scores["exact"].perplexity.value != evaluation.scores["weights"].perplexity.value
    assert evaluation.tokens == TOKENS.size
    assert evaluation.sequences == 3
    assert len(evaluation.layers) == 3


def test_a_rotated_package_is_compared_in_the_original_coordinates(checkpoint: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "ids.npy", np.random.default_rng(1).integers(0, 160, 2000))
    export(checkpoint, tmp_path / "plain", program=None)
    export(checkpoint, tmp_path / "best", method="best", calibrate=tmp_path / "ids.npy", program=None)
    errors: dict[str, list[float]] = {}
    for name in ("plain", "best"):
        with llq_format.open(tmp_path / name) as package, open_checkpoint(checkpoint) as source:
            evaluation = evaluate(package, source, TOKENS)
        errors[name] = [layer.own for layer in evaluation.layers if layer.own is not None]
        accumulated = [layer.accumulated for layer in evaluation.layers if layer.accumulated is not None]
        assert len(errors[name]) == len(accumulated) == 3
        assert all(0 < error < 0.2 for error in [*errors[name], *accumulated])
        assert accumulated[0] < accumulated[-1]
    assert all(best < plain for best, plain in zip(errors["best"], errors["plain"], strict=True))


def test_the_command_prints_a_table_and_json(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "p", program=None)
    np.save(tmp_path / "text.npy", TOKENS.ravel())
    options: list[str | Path] = [tmp_path / "p", "--against", checkpoint, "--text", tmp_path / "text.npy"]
    result = llq("eval", *options)
    assert result.exit_code == 0, result.stderr
    for words in (
        "perplexity",
        "KL divergence",
        "same top-1 token",
        "accumulated",
        "120 tokens in 1 sequence",
    ):
        assert words in result.stdout
    evaluation = json.loads(llq("eval", *options, "--json", "--tokens", "64").stdout)
    assert evaluation["tokens"] == 64
    assert evaluation["weights"]["change"]["low"] is None  # a single sequence has no interval
    assert len(evaluation["text_sha256"]) == 64


def test_the_command_refuses_what_it_cannot_compare(checkpoint: Path, tmp_path: Path) -> None:
    model_free = tiny(tmp_path)
    text = tmp_path / "text.txt"
    text.write_text("words " * 100)
    result = llq("eval", model_free, "--against", checkpoint, "--text", text)
    assert result.exit_code == 1
    assert "a text requires a tokenizer" in result.stderr
    np.save(tmp_path / "ids.npy", TOKENS.ravel())
    result = llq("eval", model_free, "--against", checkpoint, "--text", tmp_path / "ids.npy")
    assert result.exit_code == 1
    assert (
        "the package's vocab_size is 256 and the checkpoint's 160: use the checkpoint that" in result.stderr
    )
    result = llq("eval", model_free, "--against", checkpoint, "--text", tmp_path / "missing.txt")
    assert result.exit_code == 1
    assert "No such file" in result.stderr
    assert llq("eval", model_free, "--against", checkpoint).exit_code == 2
    options = (
        "--against",
        checkpoint,
        "--text",
        tmp_path / "ids.npy",
        "--html",
        tmp_path / "none" / "page.html",
    )
    result = llq("eval", model_free, *options)
    assert result.exit_code == 2
    assert "not found" in result.stderr


def test_another_shape_is_named(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "p", program=None)
    with llq_format.open(tmp_path / "p") as package, open_checkpoint(checkpoint) as source:
        model = package.metadata.model
        assert model is not None
        layer = model.layers[1]
        wider = replace(layer, ffn=replace(layer.ffn, intermediate_size=320))
        package.metadata = replace(package.metadata, model=replace(model, layers=(layer, wider, layer)))
        message = "layers.1.ffn.gate_up is [640, 128] in the package and [512, 128] in the checkpoint"
        with pytest.raises(ValueError, match=re.escape(message)):
            evaluate(package, source, TOKENS)


def test_a_layer_of_another_number_is_named(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "p", program=None)
    with llq_format.open(tmp_path / "p") as package, open_checkpoint(checkpoint) as source:
        model = package.metadata.model
        assert model is not None
        fewer = replace(package.metadata, model=replace(model, layers=model.layers[:2]))
        package.metadata = fewer
        with pytest.raises(ValueError, match="the package has 2 layers and the checkpoint 3"):
            evaluate(package, source, TOKENS)


def test_intervals() -> None:
    values = np.array([[1.0, 3.0], [4.0, 4.0], [2.0, 4.0]])  # means 2, 4 and 3
    interval = estimate(values)
    margin = 4.302653 / math.sqrt(3)
    assert interval.value == 3
    assert (interval.low, interval.high) == pytest.approx((3 - margin, 3 + margin))
    for freedom, quantile in {1: 12.7062, 2: 4.3027, 3: 3.1824, 5: 2.5706, 10: 2.2281, 30: 2.0423}.items():
        assert student(freedom) == pytest.approx(quantile, rel=0.01)  # quantiles from printed tables


def test_a_score_counts_what_it_says() -> None:
    original = np.zeros((2, 4))
    losses = np.full((2, 4), math.log(2))
    divergences = np.array([[0.0, 0.1, 0.2, 0.3], [0.0, 0.1, 0.2, 5.0]])
    agreement = np.array([[True, True, False, True], [True, False, False, True]])
    score = Positions(losses, divergences, agreement).score(original)
    assert score.perplexity.value == pytest.approx(2)
    assert score.change.value == pytest.approx(1)
    assert score.same_top.value == 5 / 8
    assert score.divergence_99 == pytest.approx(np.quantile(divergences, 0.99))


def test_inputs_are_rounded_as_specified() -> None:
    weights = {"w": np.eye(3, dtype=np.float32)}
    x = np.array([[127.0, 0.4, -63.6]], np.float32)
    assert rounded_inputs(weights, int8=True)("w", x, None).tolist() == [[127.0, 0.0, -64.0]]
    x = np.array([[1 + 2.0**-12, 70000.0, -1.0]], np.float32)
    assert rounded_inputs(weights, int8=False)("w", x, None).tolist() == [[1.0, 65504.0, -1.0]]
