"""`llq export` and `llq synth`: packages whole or not at all."""

import hashlib
import json
import os
import re
import signal
import struct
from pathlib import Path

import numpy as np
import pytest

import llq_format
from llq_format.exporting.checkpoint import open_checkpoint
from llq_format.synth import GEOMETRIES
from tests.support.checkpoint_cases import END
from tests.support.checkpoint_cases import write_checkpoint as write_grid_checkpoint
from tests.support.command_line import llq, on_terminal, start, tiny
from tests.support.timeouts import seconds, wait_until

pytestmark = pytest.mark.slow


def write_checkpoint(directory: Path, *, hidden: int = 64, layers: int = 1, vocab: int = 64) -> Path:
    """Write a dense Llama as transformers does: config.json and one safetensors file, of random weights."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": hidden // 4,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": layers,
        "max_position_embeddings": 128,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens": (vocab, hidden),
        "model.norm": (hidden,),
        "lm_head": (vocab, hidden),
    }
    for n in range(layers):
        shapes |= {
            f"model.layers.{n}.{name}": shape
            for name, shape in {
                "input_layernorm": (hidden,),
                "self_attn.q_proj": (hidden, hidden),
                "self_attn.k_proj": (hidden // 2, hidden),
                "self_attn.v_proj": (hidden // 2, hidden),
                "self_attn.o_proj": (hidden, hidden),
                "post_attention_layernorm": (hidden,),
                "mlp.gate_proj": (2 * hidden, hidden),
                "mlp.up_proj": (2 * hidden, hidden),
                "mlp.down_proj": (hidden, 2 * hidden),
            }.items()
        }
    rng = np.random.default_rng(7)
    header, blobs, end = {}, [], 0
    for name, shape in shapes.items():
        blob = rng.standard_normal(shape, np.float32).tobytes()
        header[f"{name}.weight"] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + len(blob)]}
        end += len(blob)
        blobs.append(blob)
    text = json.dumps(header).encode()
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(config))
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
    return directory


def digest_of(package: Path) -> str:
    """Return the digest of a package as the specification defines it."""
    data = (package / "metadata.json").read_bytes()
    return hashlib.sha256(re.sub(rb'(?<="digest":")[0-9a-f]{64}', b"0" * 64, data, count=1)).hexdigest()


def test_export_writes_a_valid_package_and_says_what(tmp_path: Path) -> None:
    checkpoint, package = write_checkpoint(tmp_path / "Check.Point"), tmp_path / "package"
    result = llq("export", checkpoint, package)
    assert result.exit_code == 0, result.stderr
    assert [line.rpartition(" ")[2] for line in result.stderr.splitlines()] == [
        "(no-tokenizer)",
        "(not-calibrated)",
        "(rounding-loss)",
    ]
    assert re.search(rf"^digest +{digest_of(package)}$", result.stdout, re.MULTILINE)
    assert "1 shard" in result.stdout
    assert (package / "check.point-00001-of-00001.llq").exists()
    assert llq("validate", package).exit_code == 0


def test_warnings_are_data_and_strict_makes_them_errors(tmp_path: Path) -> None:
    checkpoint = write_grid_checkpoint(tmp_path / "checkpoint", settings={"eos_token": END})
    result = llq("export", checkpoint, tmp_path / "package", "--method", "rtn", "--json")
    (warning,) = json.loads(result.stdout)["warnings"]
    assert warning["id"] == "end-tokens-differ"
    assert warning["values"] == {"configured": [257], "tokenizer": 259}
    assert result.stderr == ""
    for method in ("rtn", "best"):
        result = llq("export", checkpoint, tmp_path / "strict", "--strict", "--method", method)
        assert result.exit_code == 1
        assert result.stderr == f"llq: {warning['message']} (end-tokens-differ)\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "package"]


def test_strict_accepts_an_export_without_warnings(tmp_path: Path) -> None:
    checkpoint = write_grid_checkpoint(tmp_path / "checkpoint")
    result = llq("export", checkpoint, tmp_path / "package", "--method", "rtn", "--strict", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["warnings"] == []


def test_rounding_that_changes_weights_is_reported_with_its_size(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", layers=2)
    result = llq("export", checkpoint, tmp_path / "package", "--method", "rtn", "--json")
    loss = json.loads(result.stdout)["warnings"][1]
    assert loss["id"] == "rounding-loss"
    change = weights = 0.0
    with open_checkpoint(checkpoint) as source:
        package = llq_format.open(tmp_path / "package")
        for tensor in package.metadata.tensors:
            if tensor.dtype == "int4_affine":
                exact = source.load(tensor.name).astype(np.float64)
                change += float(np.sum((package.get_tensor(tensor.name) - exact) ** 2))
                weights += float(np.sum(exact**2))
    assert loss["values"]["percent"] == round(100 * (change / weights) ** 0.5, 1)
    assert 10 < loss["values"]["percent"] < 20
    result = llq("export", checkpoint, tmp_path / "strict", "--strict")
    assert result.exit_code == 1
    assert not (tmp_path / "strict").exists()


def test_export_options_reach_the_package(tmp_path: Path) -> None:
    checkpoint, package = write_checkpoint(tmp_path / "checkpoint"), tmp_path / "package"
    options = ["--scheme", "symmetric", "--head", "f16", "--embedding", "f32", "--method", "rtn"]
    options += ["--stem", "mine", "--shard-limit", "32768", "--json"]
    result = llq("export", checkpoint, package, *options)
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert summary["digest"] == digest_of(package)
    metadata = json.loads((package / "metadata.json").read_bytes())
    dtypes = {tensor["name"]: tensor["dtype"] for tensor in metadata["tensors"]}
    assert (dtypes["embedding"], dtypes["lm_head"]) == ("f32", "f16")
    assert dtypes["layers.0.ffn.down"] == "int4_symmetric"
    assert metadata["shard_limit"] == 32768
    assert summary["shards"] == len(metadata["shards"]) > 1
    assert metadata["shards"][0]["file"].startswith("mine-00001-of-")


def test_export_failures_are_messages(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    result = llq("export", tmp_path / "missing", tmp_path / "package")
    assert result.exit_code == 1
    assert result.stderr == f"llq: {tmp_path / 'missing'}: no such file or directory\n"
    result = llq("export", checkpoint, tmp_path / "package", "--shard-limit", "512")
    assert result.exit_code == 1
    assert "raise shard_limit" in result.stderr
    result = llq("export", checkpoint, tmp_path / "package", "--stem", "no/slash")
    assert result.exit_code == 1
    assert "error LLQ-META-5 (pattern-mismatch) at metadata.json#/stem" in result.stderr
    for wrong in (["--scheme", "octal"], ["--shard-limit", "1000"], ["--shard-limit", "256"]):
        assert llq("export", checkpoint, tmp_path / "package", *wrong).exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


def test_an_infinite_weight_is_refused_by_name(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    file = checkpoint / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[-4:] = struct.pack("<f", np.inf)
    file.write_bytes(data)
    result = llq("export", checkpoint, tmp_path / "package")
    assert result.exit_code == 1
    assert "layers.0.ffn.down" in result.stderr
    assert "not finite" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint"]


def test_an_existing_directory_needs_force_and_must_be_a_package(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    before = digest_of(package)
    result = llq("synth", "tiny", package, "--seed", "9")
    assert result.exit_code == 1
    assert result.stderr == f"llq: {package} already exists: use --force to replace it\n"
    assert digest_of(package) == before
    assert llq("synth", "tiny", package, "--seed", "9", "--force").exit_code == 0
    assert digest_of(package) != before
    precious = tmp_path / "home"
    (precious / "photographs").mkdir(parents=True)
    for target in (tmp_path, precious, precious / "photographs" / ".." / ".."):
        result = llq("synth", "tiny", target, "--force")
        assert result.exit_code == 1
        assert "will not be replaced" in result.stderr
    assert (precious / "photographs").is_dir()


def test_synth_is_deterministic_for_a_seed(tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert llq("synth", "tiny", tmp_path / name, "--seed", seed, "--layers", "1").exit_code == 0
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b") != digest_of(tmp_path / "c")
    assert len(json.loads((tmp_path / "a" / "metadata.json").read_bytes())["model"]["layers"]) == 1
    assert llq("validate", tmp_path / "a").exit_code == 0


def test_synth_of_a_geometry_in_a_file(tmp_path: Path) -> None:
    metadata = json.loads((tiny(tmp_path) / "metadata.json").read_bytes())
    metadata["model"]["vocab_size"] = 77
    file = tmp_path / "geometry.json"
    file.write_text(json.dumps({"model": metadata["model"]}))
    assert llq("synth", file, tmp_path / "mine").exit_code == 0
    assert llq("validate", tmp_path / "mine").exit_code == 0
    inspected = json.loads(llq("inspect", tmp_path / "mine", "--json").stdout)
    assert inspected["tensors"][0]["shape"] == [77, 128]


@pytest.mark.parametrize("choice", ["qkv_bias", "weighted_qk_norm"])
def test_synth_of_a_geometry_with_an_extension(tmp_path: Path, choice: str) -> None:
    """The metadata.json of a package is a geometry, too; a file without the extension has none."""
    file = tmp_path / "mine.json"
    model = GEOMETRIES["tiny"].to_json()
    choices = [{"qkv_bias": False, "weighted_qk_norm": False} for _ in model["layers"]]
    choices[1][choice] = True
    members = {"extensions": {"LLQ_attention_affine": {"layers": choices}}}
    required = {"extensions_required": ["LLQ_attention_affine"]}
    file.write_text(json.dumps({"model": model, **members, **required}))
    assert llq("synth", file, tmp_path / "first").exit_code == 0
    assert llq("synth", tmp_path / "first" / "metadata.json", tmp_path / "second").exit_code == 0
    assert llq("validate", tmp_path / "first", tmp_path / "second").exit_code == 0
    for package in ("first", "second"):
        written = json.loads((tmp_path / package / "metadata.json").read_text())
        assert written["extensions"] == members["extensions"]
    file.write_text(json.dumps({"model": model, "extensions": None, **required}))
    assert llq("synth", file, tmp_path / "third").exit_code == 0
    assert "extensions" not in json.loads((tmp_path / "third" / "metadata.json").read_text())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "expected a JSON object with a member `model`"),
        ("{", "error LLQ-JSON-2 (invalid-json) at geometry.json"),
        ('{"model": {"layers": 3}}', "error LLQ-META-"),
    ],
)
def test_synth_of_a_file_without_a_geometry(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "geometry.json"
    file.write_text(content)
    result = llq("synth", file, tmp_path / "mine")
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "mine").exists()


def test_synth_lists_and_suggests_geometries(tmp_path: Path) -> None:
    listed = llq("synth", "--list")
    assert listed.exit_code == 0
    assert [line for line in listed.stdout.splitlines() if not line.startswith(" ")] == list(GEOMETRIES)
    result = llq("synth", "llama4-scout", tmp_path / "x")
    assert result.exit_code == 2
    assert "did you mean llama-4-scout" in result.stderr
    assert llq("synth", "tiny", tmp_path / "x", "--layers", "3").exit_code == 1


def test_a_terminal_sees_progress_and_the_summary_fits(tmp_path: Path) -> None:
    status, _, plain = on_terminal("synth", "tiny", tmp_path / "t")
    assert status == 0
    assert "━" in plain
    assert "digest   " in plain
    status, _, plain = on_terminal("synth", "--list")
    assert max(map(len, plain.splitlines())) <= 80


NEVER_COMPLETE = """
import sys, time

def wait(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith("/package"):
        time.sleep(3600)

sys.addaudithook(wait)
"""
"""Start-up code of a writer that waits before its package gets the name under which it is complete."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["synth", "export"])
def test_an_interrupted_writer_leaves_nothing(tmp_path: Path, command: str, number: signal.Signals) -> None:
    if command == "synth":
        source, threshold = "llama-2-7b", 1 << 24
    else:
        source, threshold = str(write_checkpoint(tmp_path / "c", hidden=512, layers=24)), 1 << 20
    target = tmp_path / "out"
    target.mkdir()
    (tmp_path / "sitecustomize.py").write_text(NEVER_COMPLETE)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with start(command, source, target / "package", env=environment) as process:
        wait_until(lambda: process.poll() is not None or _written(target) > threshold)
        assert process.poll() is None, process.communicate()
        process.send_signal(number)
        out, err = process.communicate(timeout=seconds(60))
    assert process.returncode == 128 + number
    assert out == b""
    assert err.decode() == (
        "llq: interrupted: no unfinished files remain\n" if number == signal.SIGINT else ""
    )
    assert list(target.iterdir()) == []


def _written(directory: Path) -> int:
    """Return how many bytes of shards there are below a directory."""
    return sum(_size(path) for path in directory.rglob("*.llq"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
