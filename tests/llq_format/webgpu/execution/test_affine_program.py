"""Programs of packages with `LLQ_attention_affine`: their dispatches and their module."""

from dataclasses import replace
from pathlib import Path

import llq_format
from llq_format.metadata.canonical_json import parse
from llq_format.metadata.model import Model
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.planning.module import read_module
from llq_format.webgpu.planning.program import Dispatch, Program
from llq_format.webgpu.planning.program_files import ProgramOptions
from tests.support.command_line import llq

TINY = GEOMETRIES["tiny"]


def qwen(*choices: tuple[bool, bool]) -> Model:
    """Return a model whose layers have bias and weighted norm, or not."""
    (layer,) = set(TINY.layers)
    attentions = (replace(layer.attention, qkv_bias=bias, weighted_qk_norm=norm) for bias, norm in choices)
    layers = tuple(replace(layer, attention=attention) for attention in attentions)
    return replace(TINY, layers=layers, fp16_layers=min(2, len(layers)))


def written(model: Model, directory: Path) -> Program:
    """Return the program of a package of random weights."""
    synth(model, directory, program=ProgramOptions(32, "f16"))
    assert [f for f in llq_format.validate(directory) if f.severity == "error"] == []
    return Program.from_json(parse((directory / "program.json").read_bytes())[0])


def of_layer(run: tuple[Dispatch, ...], number: int) -> list[str]:
    """Return the entry points of the attention of a layer, without the kind of product."""
    prefix = f"layers.{number}.attention."
    names = [dispatch.entry_point for dispatch in run if dispatch.label.startswith(prefix)]
    return [name if name in ("add_bias", "head_norm") else name.split("_")[0] for name in names]


def test_bias_and_norm_follow_the_product_in_prefill_and_decode(tmp_path: Path) -> None:
    program = written(qwen((True, False), (False, True), (True, True), (False, False)), tmp_path / "p")
    prefill, decode = program.passes["prefill"], program.passes["decode"]
    steps: tuple[list[str], ...] = (["add_bias"], ["head_norm"], ["add_bias", "head_norm"], [])
    for number, own in enumerate(steps):
        rest = ["rope", "attention", "combine", "matmul"]
        assert of_layer(prefill, number) == ["matmul", *own, *rest]
        assert of_layer(decode, number) == ["matvec", *own, "fused", "combine", "matvec"]


def test_only_packages_with_the_extension_have_its_kernels(tmp_path: Path) -> None:
    extended, plain = written(qwen((True, True)), tmp_path / "p"), written(TINY, tmp_path / "q")
    for name, program, expected in (("p", extended, True), ("q", plain, False)):
        module = read_module(next((tmp_path / name).glob("*.wgsl")).read_text(encoding="ascii"))
        assert ("affine" in module) == expected
        assert [("affine" in variant.sections) for variant in program.variants] == [expected] * 4
        assert ("add_bias" in program.pipelines) == expected


def test_the_command_writes_the_module_of_the_extension(tmp_path: Path) -> None:
    written(qwen((True, True)), tmp_path / "p")
    before = {file.name: file.read_bytes() for file in (tmp_path / "p").iterdir()}
    result = llq("program", str(tmp_path / "p"), "--chunk", "32", "--kv-cache", "f16")
    assert result.exit_code == 0, result.stderr
    assert {file.name: file.read_bytes() for file in (tmp_path / "p").iterdir()} == before
