"""`llq export --method`: what methods that calibrate write, record, keep and refuse."""

import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import llq_format
from llq_format.exporting.calibration import RECIPES, Calibrated
from llq_format.exporting.checkpoint import open_checkpoint
from llq_format.exporting.export import MethodName, export
from llq_format.format.quantize import QuantizeError
from llq_format.reference import Decoder
from tests.llq_format.cli.test_export import digest_of, write_checkpoint
from tests.support.command_line import llq

pytestmark = pytest.mark.slow


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Return a dense Llama of two layers, its embedding tied, some channels of its norms far above others."""
    directory = write_checkpoint(tmp_path / "checkpoint", hidden=128, layers=2)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": True}))
    tensors = load_file(directory / "model.safetensors")
    del tensors["lm_head.weight"]
    rng = np.random.default_rng(2)
    for name, tensor in tensors.items():
        if tensor.ndim == 1:
            tensors[name] = np.exp(rng.standard_normal(tensor.shape)).astype(np.float32)
        else:
            tensors[name] = tensor / np.float32(np.sqrt(tensor.shape[1]))
    save_file(tensors, directory / "model.safetensors")
    return directory


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    """Return a file of token ids."""
    np.save(tmp_path / "ids.npy", np.random.default_rng(3).integers(0, 64, 600))
    return tmp_path / "ids.npy"


METHODS: tuple[MethodName, ...] = ("awq", "gptq", "best")


def metadata_of(package: Path) -> dict[str, Any]:
    """Return metadata.json."""
    metadata: dict[str, Any] = json.loads((package / "metadata.json").read_bytes())
    return metadata


def logits_of(package: Path) -> Any:
    """Return logits of a few tokens, float64 [tokens, vocab_size]."""
    with llq_format.open(package) as opened:
        return Decoder(opened, mode="float").prefill(list(range(30)))


@pytest.mark.parametrize("method", RECIPES)
def test_a_method_writes_a_valid_package_and_says_how(
    method: str, checkpoint: Path, ids: Path, tmp_path: Path
) -> None:
    options = ["--method", method, "--calibration", str(ids), "--seed", "5", "--json"]
    result = llq("export", checkpoint, tmp_path / "a", *options)
    assert result.exit_code == 0, result.stderr
    assert llq("validate", tmp_path / "a").exit_code == 0
    assert llq("export", checkpoint, tmp_path / "b", *options).exit_code == 0
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    metadata = metadata_of(tmp_path / "a")
    provenance = metadata["extras"]["provenance"]
    assert provenance["method"] == method
    assert (provenance["seed"], provenance["calibration"]) == (5, "ids.npy")
    assert len(provenance["calibration_sha256"]) == len(provenance["source_sha256"]) == 64
    names = {tensor["name"]: tensor["dtype"] for tensor in metadata["tensors"]}
    assert metadata["model"]["tied_embeddings"] == (method != "best")
    assert names.get("lm_head") == ("f16" if method == "best" else None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "checkpoint", "ids.npy"]


def test_methods_come_nearer_to_the_original(checkpoint: Path, ids: Path, tmp_path: Path) -> None:
    methods = ("rtn", "awq", "gptq", "best")
    for method in methods:
        export(checkpoint, tmp_path / method, method=method, calibrate=ids, program=None)  # type: ignore[arg-type]
    with open_checkpoint(checkpoint) as source:  # the same model in binary32, through its own names
        tensors = {name: source.load(name) for name in _names(tmp_path / "rtn")}
    original = _float_logits(tmp_path / "rtn", tensors)
    errors = {name: float(np.square(logits_of(tmp_path / name) - original).mean()) for name in methods}
    assert max(errors[name] for name in ("awq", "gptq", "best")) < errors["rtn"], errors


def _names(package: Path) -> list[str]:
    return [tensor["name"] for tensor in metadata_of(package)["tensors"]]


def _float_logits(package: Path, tensors: dict[str, Any]) -> Any:
    """Return the logits of the weights before rounding."""
    from llq_format.reference.batch import final_norm, multiplied_by, run_layer  # noqa: PLC0415

    with llq_format.open(package) as opened:
        model = opened.metadata.model
    assert model is not None
    x = tensors["embedding"].astype(np.float64)[np.arange(30)][None]
    inv_freq = tensors["rope.inv_freq"].astype(np.float64)
    for number, layer in enumerate(model.layers):
        prefix = f"layers.{number}."
        weights = {
            k.removeprefix(prefix): v.astype(np.float64) for k, v in tensors.items() if k.startswith(prefix)
        }
        x = run_layer(model, layer, weights, inv_freq, x, multiply=multiplied_by(weights))
    return final_norm(model, tensors["norm"], x)[0] @ tensors["embedding"].astype(np.float64).T


def test_the_head_is_stored_as_asked(checkpoint: Path, ids: Path, tmp_path: Path) -> None:
    options = ["--method", "best", "--calibration", str(ids), "--head", "int4", "--scheme", "symmetric"]
    assert llq("export", checkpoint, tmp_path / "p", *options).exit_code == 0
    names = {tensor["name"]: tensor["dtype"] for tensor in metadata_of(tmp_path / "p")["tensors"]}
    assert names["lm_head"] == "int4_symmetric"
    assert llq("validate", tmp_path / "p").exit_code == 0


def test_options_that_would_do_nothing_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    for option in (["--calibration", "builtin"], ["--seed", "1"]):
        result = llq("export", checkpoint, tmp_path / "p", "--method", "rtn", *option)
        assert result.exit_code == 2
        assert f"'{option[0]}': --method rtn does not use this option" in result.stderr
    result = llq("export", checkpoint, tmp_path / "p", "--method", "rtn", "--head", "int4")
    assert result.exit_code == 1
    assert "this model has tied embeddings" in result.stderr
    assert not (tmp_path / "p").exists()


def test_a_stopped_export_continues(
    checkpoint: Path, ids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounded: list[int] = []
    layer = Calibrated.layer

    def stopping(self: Calibrated, number: int) -> Any:
        if number == 1 and not rounded.count(1):
            rounded.append(number)
            raise KeyboardInterrupt
        rounded.append(number)
        return layer(self, number)

    export(checkpoint, tmp_path / "whole", method="gptq", calibrate=ids)
    monkeypatch.setattr(Calibrated, "layer", stopping)
    result = llq("export", checkpoint, tmp_path / "p", "--method", "gptq", "--calibration", ids)
    assert result.exit_code == 130
    assert result.stderr.splitlines()[1:] == [
        "llq: interrupted: finished layers are saved; run the same command to resume"
    ]
    assert not (tmp_path / "p").exists()
    assert (tmp_path / ".p.layers" / "layer-00000.npz").is_file()
    export(checkpoint, tmp_path / "p", method="gptq", calibrate=ids)
    assert rounded == [0, 1, 1]
    assert digest_of(tmp_path / "p") == digest_of(tmp_path / "whole")
    assert not (tmp_path / ".p.layers").exists()


def test_layers_of_another_export_are_not_reused(
    checkpoint: Path, ids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Calibrated.layer
    with monkeypatch.context() as context:
        context.setattr(Calibrated, "layer", lambda self, n: layer(self, n) if n == 0 else _interrupted())
        with pytest.raises(KeyboardInterrupt):
            export(checkpoint, tmp_path / "p", method="best", calibrate=ids, seed=1, stem="checkpoint")
    assert (tmp_path / ".p.layers" / "layer-00000.npz").is_file()
    export(checkpoint, tmp_path / "p", method="best", calibrate=ids, seed=2, stem="checkpoint")
    export(checkpoint, tmp_path / "whole", method="best", calibrate=ids, seed=2)
    assert digest_of(tmp_path / "p") == digest_of(tmp_path / "whole")
    (tmp_path / ".q.layers").mkdir()
    (tmp_path / ".q.layers" / "photograph").touch()
    with pytest.raises(FileExistsError, match="files that are not saved layers"):
        export(checkpoint, tmp_path / "q", method="best", calibrate=ids)


def _interrupted() -> Any:
    raise KeyboardInterrupt


def test_an_export_that_fails_leaves_nothing(
    checkpoint: Path, ids: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = Calibrated.layer
    monkeypatch.setattr(Calibrated, "layer", lambda self, n: layer(self, n) if n == 0 else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(checkpoint, tmp_path / "new" / "p", method="gptq", calibrate=ids)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            ("model.layers.1.mlp.down_proj", np.nan),
            "'layers.1.ffn.down': the weight at row 3, column 4 is nan",
        ),
        (("model.layers.1.self_attn.o_proj", -7e4), "row 3, column 4 is -70000, outside ±65504"),
        (("model.embed_tokens", np.inf), "'embedding': the weight at row 3, column 4 is inf, not finite"),
    ],
)
def test_a_weight_that_no_package_holds_is_refused_by_name(
    checkpoint: Path, ids: Path, tmp_path: Path, weight: tuple[str, float], message: str
) -> None:
    """Before a layer is run, and by every method: a rotation would spread such a weight over others."""
    tensors = load_file(checkpoint / "model.safetensors")
    name, value = weight
    tensors[f"{name}.weight"][3, 4] = value
    save_file(tensors, checkpoint / "model.safetensors")
    started: list[int] = []
    for method in METHODS:
        with pytest.raises(QuantizeError, match=re.escape(message)):
            export(
                checkpoint,
                tmp_path / "new" / "p",
                method=method,
                calibrate=ids,
                on_start=lambda count, _stem: started.append(count),
            )
    assert started == []
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (np.arange(5), "5 tokens; expected at least 32"),
        (np.arange(100), "token ids must be 0 to 63, not 0 to 99"),
        (np.ones(100), "contains float64 [100]; expected one dimension of integers"),
        (None, "a text requires a tokenizer, which this checkpoint lacks: use token ids"),
        (b"words", "bad.npy is not an .npy file of token ids"),
    ],
)
def test_calibrations_that_cannot_be(checkpoint: Path, tmp_path: Path, written: Any, message: str) -> None:
    options = ["--method", "gptq"]
    if written is not None:
        if isinstance(written, bytes):
            (tmp_path / "bad.npy").write_bytes(written)
        else:
            np.save(tmp_path / "bad.npy", written)
        options += ["--calibration", str(tmp_path / "bad.npy")]
    result = llq("export", checkpoint, tmp_path / "p", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "p").exists()


def test_memory_does_not_grow_with_the_layers(tmp_path: Path) -> None:
    """Four layers more take less than one in float64: they are not kept, as given or as rounded."""
    np.save(tmp_path / "ids.npy", np.random.default_rng(3).integers(0, 64, 64))
    peaks = []
    for layers in (2, 6):
        source = write_checkpoint(tmp_path / f"c{layers}", hidden=256, layers=layers)
        tracemalloc.start()
        try:
            export(
                source, tmp_path / f"p{layers}", method="best", calibrate=tmp_path / "ids.npy", program=None
            )
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    weights_of_a_layer = 9 * 256 * 256
    assert peaks[1] < peaks[0] + 8 * weights_of_a_layer
