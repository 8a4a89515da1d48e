"""The real SmolLM2-135M: exported, validated, decoded and run."""

import json
from pathlib import Path

import gguf
import numpy as np
import pytest

import llq_format
from llq_format.exporting.export import export
from llq_format.reference import Decoder
from llq_format.reference.generation import generate
from llq_format.reference.text import TextTokenizer
from tests.support.command_line import llq, run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def package(smollm2_package: Path) -> Path:
    """Return the package of the model."""
    return smollm2_package


def test_the_exported_model_is_valid(package: Path) -> None:
    assert llq_format.validate(package) == []


def test_decoded_weights_are_within_half_a_step_of_the_checkpoint(package: Path, smollm2_gguf: Path) -> None:
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(smollm2_gguf).tensors}
    tensor = stored["blk.7.ffn_down.weight"]
    original = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float64)
    with llq_format.open(package) as opened:
        decoded = opened.get_tensor("layers.7.ffn.down").astype(np.float64)
        scales = opened.get_packed("layers.7.ffn.down").scales.astype(np.float64)
    down, across = (-(-n // 64) for n in original.shape)
    steps = np.kron(scales.reshape(down, across), np.ones((64, 64)))[: original.shape[0], : original.shape[1]]
    assert (np.abs(decoded - original) <= steps / 2 * (1 + 1e-12)).all()
    assert np.abs(decoded - original).max() > 0  # it is a quantization


def test_the_export_is_deterministic(package: Path, smollm2_gguf: Path, tmp_path: Path) -> None:
    export(smollm2_gguf, tmp_path / "again", method="rtn", stem="smollm2")
    assert (tmp_path / "again" / "metadata.json").read_bytes() == (package / "metadata.json").read_bytes()


def test_it_knows_the_capital_of_france(package: Path) -> None:
    with llq_format.open(package) as opened:
        tokenizer = TextTokenizer(opened)
        prompt = tokenizer.encode("The capital of France is")
        tokens = generate(Decoder(opened), prompt, 2, tokenizer.entry.eos_token_ids)
        assert tokenizer.decode(list(tokens)).startswith(" Paris")


def test_llq_run_streams_text_and_reports_figures(package: Path) -> None:
    status, out, err = run("run", package, "The capital of France is", "--max-tokens", "4")
    assert status == 0
    assert out.startswith(" Paris")
    assert "4 tokens" in err
    status, out, _ = run(
        "run", package, "Say hello.", "--chat", "--json", "--max-tokens", "3", "--temperature", "1"
    )
    answer = json.loads(out)
    assert status == 0
    assert len(answer["token_ids"]) == answer["tokens"] <= 3
    repeated = json.loads(
        run("run", package, "Say hello.", "--chat", "--json", "--max-tokens", "3", "--temperature", "1")[1]
    )
    assert repeated["text"] == answer["text"]  # the same seed, the same text


def test_the_default_method_answers_a_question(
    request: pytest.FixtureRequest, smollm2_gguf: Path, tmp_path: Path
) -> None:
    """The package of `make demo`, whose export calibrates; rounded to nearest, the model writes nonsense."""
    if not request.config.getoption("--demo"):
        pytest.skip("takes minutes: give --demo")
    exported = llq("export", smollm2_gguf, tmp_path / "best", "--yes", "--json")
    assert exported.exit_code == 0, exported.stderr
    assert "rounding-loss" not in {found["id"] for found in json.loads(exported.stdout)["warnings"]}
    answered = llq("run", tmp_path / "best", "What is the capital of France?", "--chat", "--max-tokens", "24")
    assert answered.stdout.startswith("The capital of France is Paris"), answered.stdout
