"""`llq inspect`: geometry, sizes, files and tensors, in 80 columns and as JSON."""

import json
from math import prod
from pathlib import Path

import numpy as np
import pytest

from llq_format import save
from tests.support import tampering
from tests.support.command_line import WORKED_EXAMPLE, llq, on_terminal, tiny


def test_sizes_are_those_of_the_tiny_model(tmp_path: Path) -> None:
    value = json.loads(llq("inspect", tiny(tmp_path), "--json").stdout)
    hidden, heads, kv_heads, head_dim, size, vocab = 128, 4, 2, 32, 192, 256
    layer = (heads + 2 * kv_heads) * head_dim * hidden + hidden * heads * head_dim + 3 * size * hidden
    by_kind = {entry["kind"]: entry for entry in value["sizes"]}
    assert by_kind["int4_affine"]["weights"] == 2 * layer + vocab * hidden
    assert by_kind["f16"] == {
        "kind": "f16",
        "tensors": 1,
        "weights": vocab * hidden,
        "byte_length": 2 * vocab * hidden,
        "bits_per_weight": 16.0,
    }
    assert value["total"]["byte_length"] == value["shards"][0]["byte_length"]
    assert value["total"]["weights"] == sum(prod(tensor["shape"]) for tensor in value["tensors"])
    assert value["model"]["hidden_size"] == hidden


def test_every_tensor_shard_and_figure_is_shown(tmp_path: Path) -> None:
    text = llq("inspect", tiny(tmp_path), "--all").stdout
    for word in (
        "LLQ 1.0 model package tiny",
        "layers 0-1: RoPE, FFN gated silu 192",
        "tiny-00001-of-00001.llq",
        "layers.1.ffn.gate_up       int4_affine  384 × 128",
        "rope.inv_freq",
        "4 queries, 2 keys and values, 32 wide",
    ):
        assert word in text


def test_a_weights_package_has_no_model() -> None:
    text = llq("inspect", WORKED_EXAMPLE / "package").stdout
    assert text.startswith("LLQ 1.0 weights package worked-example\n")
    assert "\nmodel\n" not in text
    assert "int4_affine        1    4,096  3,072        6.000" not in text
    assert "  weight  int4_affine  64 × 64      1  2,816" in text


def test_long_lists_are_folded_with_their_count(tmp_path: Path) -> None:
    tensors = {f"t{number:03}": np.ones(1, np.float32) for number in range(50)}
    save(tmp_path / "many", tensors)
    folded = llq("inspect", tmp_path / "many").stdout
    assert "tensors (50)" in folded
    assert "… 33 more (--all)" in folded
    assert "t013 " in folded
    assert "t014 " not in folded
    assert "t049 " in folded
    full = llq("inspect", tmp_path / "many", "--all").stdout
    assert all(f"{name} " in full for name in tensors)
    assert "more" not in full


def test_text_from_the_package_never_reaches_the_terminal_raw(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    evil = "\x1b]0;owned\x07[bold red]\u202e\x7f"
    tampering.edit(package, lambda value: value.update(extras={"note": evil}))
    for arguments in (("inspect", package), ("inspect", package, "--json")):
        output = llq(*arguments).stdout
        assert "[bold red]" in output
        assert not any(character in output for character in "\x1b\x07\u202e\x7f")


def test_everything_fits_80_columns_of_a_terminal(tmp_path: Path) -> None:
    save(
        tmp_path / "long",
        {"a" * 128: np.ones((3, 5), np.float32), "b": np.ones(4, np.float16)},
        stem="s" * 64,
    )
    for package in (tmp_path / "long", tiny(tmp_path)):
        status, text, plain = on_terminal("inspect", package, "--all")
        assert status == 0
        assert "\x1b[1m" in text
        assert max(map(len, plain.splitlines())) <= 80
    assert "\x1b" not in llq("inspect", tmp_path / "long").stdout


def test_a_broken_package_is_refused_by_its_rule(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    (package / "tiny-00001-of-00001.llq").unlink()
    result = llq("inspect", package)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        f"llq: {package}: error LLQ-PKG-6 (file-missing) at tiny-00001-of-00001.llq",
        "  found     no such file",
        "  expected  a regular file",
        "  remedy    Fetch the missing file.",
    ]


@pytest.mark.parametrize("command", ["inspect", "decode", "dump", "diff", "run", "program"])
def test_a_checkpoint_in_place_of_a_package_points_at_export(tmp_path: Path, command: str) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\x03\x00\x00\x00")
    (tmp_path / "model.safetensors").write_bytes(b"")
    (tmp_path / "other").write_bytes(b"text")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "config.json").write_text("{}")
    more: dict[str, list[str | Path]] = {
        "decode": ["w", "-o", tmp_path / "w.npy"],
        "diff": [WORKED_EXAMPLE / "package"],
        "run": ["hello"],
    }
    for name, kind in {
        "model.gguf": "a GGUF file",
        "model.safetensors": "a safetensors file",
        "other": "a file",
        "folder": "a directory of a Hugging Face checkpoint",
    }.items():
        path = tmp_path / name
        result = llq(command, path, *more.get(command, []))
        assert result.exit_code == (2 if command == "diff" else 1)
        assert (
            f"{path} is {kind}, not a package: `llq export {path} DIR` makes a package of a checkpoint"
            in (result.stderr)
        )


def test_what_is_no_checkpoint_keeps_its_finding(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "missing"):
        result = llq("inspect", tmp_path / name)
        assert result.exit_code == 1
        assert "error LLQ-PKG-1" in result.stderr
