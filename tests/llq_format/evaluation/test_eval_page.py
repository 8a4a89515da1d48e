"""The page of `llq eval`: blocks in the coordinates of a package, samples, and pictures of numbers."""

import base64
import re
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llq_format
from llq_format.evaluation import beginnings, block_maps, continuations
from llq_format.evaluation.coordinates import layer_as_stored
from llq_format.evaluation.heatmap import heatmap
from llq_format.evaluation.layer_curve import layer_curve
from llq_format.evaluation.statistics import relative_error
from llq_format.exporting.checkpoint import open_checkpoint
from llq_format.exporting.export import export
from llq_format.exporting.transforms import TransformedModel
from llq_format.reference import Decoder
from tests.llq_format.cli.test_eval import TOKENS
from tests.llq_format.cli.test_eval import checkpoint as checkpoint  # noqa: PLC0414  # a fixture
from tests.llq_format.exporting.test_transforms import MODELS, TRANSFORMS, random_tensors
from tests.support.command_line import llq


@pytest.mark.parametrize("architecture", MODELS)
def test_changes_that_keep_the_function_are_found_in_the_weights(architecture: str) -> None:
    """Norms folded, stream and values rotated, pairs and channels scaled and put in another order."""
    model = MODELS[architecture]
    tensors = random_tensors(model)
    plain, changed = (
        TransformedModel(model, lambda name: tensors[name].copy(), some) for some in ([], TRANSFORMS["all"])
    )
    turn = np.linalg.lstsq(plain.embedding(), changed.embedding())[0].astype(np.float32)
    for number, layer in enumerate(model.layers):
        original, stored = (
            {name: tensor.astype(np.float32) for name, tensor in executor.layer(number).items()}
            for executor in (plain, changed)
        )
        layer_weights = layer_as_stored(model, layer.ffn, original, stored, turn)
        matrices = {name for name, tensor in stored.items() if tensor.ndim == 2 and "router" not in name}
        assert set(layer_weights) == matrices
        for name, weights in layer_weights.items():
            assert relative_error(stored[name], weights) < 1e-8, name
            assert relative_error(stored[name], original[name]) > 0.1, name


def test_the_error_of_a_block_is_that_of_its_weights(checkpoint: Path, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "p", program=None)
    steps: list[int] = []
    with llq_format.open(tmp_path / "p") as package, open_checkpoint(checkpoint) as source:
        maps = {block_map.name: block_map for block_map in block_maps(package, source, steps.append)}
        name = "layers.1.ffn.gate_up"
        stored, original = package.get_tensor(name), source.load(name)
        scales = package.get_packed(name).scales
        names = [name for name in package if "norm" not in name and name.startswith("layers.")]
    assert sorted(maps) == sorted([*names, "lm_head"])
    assert steps == [1, 1, 1]
    block_map = maps[name]
    assert block_map.errors is not None
    assert block_map.scales.ravel().tolist() == scales.astype(np.float32).tolist()
    block = np.s_[64:128, 0:64]
    relative_error = np.linalg.norm((stored - original)[block]) / np.linalg.norm(original[block])
    assert block_map.errors[1, 0] == pytest.approx(relative_error, rel=0.02)  # rows of `up` may take a factor
    assert block_map.error == pytest.approx(
        np.linalg.norm(stored - original) / np.linalg.norm(original), rel=0.02
    )


def test_a_matrix_of_another_model_has_no_error(checkpoint: Path, tmp_path: Path) -> None:
    """Weights that the original does not explain are not compared with it."""
    export(checkpoint, tmp_path / "p", program=None)
    rng = np.random.default_rng(2)
    with llq_format.open(tmp_path / "p") as package, open_checkpoint(checkpoint) as source:
        load = package.get_tensor

        def strange(name: str) -> Any:
            tensor = load(name)
            return rng.normal(size=tensor.shape).astype(np.float32) if name.endswith("qkv") else tensor

        package.get_tensor = strange  # type: ignore[method-assign]
        maps = {block_map.name: block_map for block_map in block_maps(package, source)}
    assert maps["layers.0.attention.qkv"].errors is None
    assert maps["layers.0.attention.qkv"].error is None
    assert maps["layers.0.ffn.down"].errors is not None


def test_continuations_are_those_of_the_reference_decoder(checkpoint: Path, tmp_path: Path) -> None:
    """Except for ties: if an INT8 input is at a boundary, binary32 may round it to the other side."""
    export(checkpoint, tmp_path / "p", program=None)
    with llq_format.open(tmp_path / "p") as package:
        model = package.metadata.model
        assert model is not None
        prompts = TOKENS[:, :6]
        for exact in (False, True):
            chosen = continuations(model, package.get_tensor, prompts, 5, exact=exact)
            assert chosen.shape == (3, 5)
            decoder = Decoder(package, mode="exact" if exact else "float")
            for prompt, ids in zip(prompts, chosen, strict=True):
                logits = decoder.prefill([*prompt.tolist(), *ids.tolist()])[5:-1]
                missed = logits.max(axis=-1) - logits[np.arange(5), ids]
                assert missed.max() < (
                    0.02 if exact else 1e-4
                )  # the second most probable token is 0.2 away, by median


def test_beginnings_follow_the_end_of_a_sentence() -> None:
    tokens = np.array([[1, 5, 9, 6, 7, 8], [1, 2, 3, 4, 5, 6]])
    assert beginnings(tokens, 1, 3, lambda token: token == 9).tolist() == [[1, 6, 7], [1, 2, 3]]
    assert beginnings(tokens, None, 3, lambda token: token == 9).tolist() == [[6, 7, 8], [1, 2, 3]]
    assert beginnings(tokens, None, 7, lambda _token: False).shape == (0, 7)


def test_a_heatmap_holds_its_numbers() -> None:
    values = np.array([[0.0, 0.5, 1.0], [-3.0, 9.0, np.nan]])
    png = base64.b64decode(heatmap(values, 0, 1).removeprefix("data:image/png;base64,"))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: dict[bytes, bytes] = {}
    at = 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        chunks[kind] = png[at + 8 : at + 8 + length]
        assert zlib.crc32(kind + chunks[kind]) == int.from_bytes(png[at + 8 + length : at + 12 + length])
        at += 12 + length
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (3, 2, 8, 3, 0, 0, 0)
    assert zlib.decompress(chunks[b"IDAT"]) == bytes([0, 0, 127, 254, 0, 0, 254, 255])
    palette = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(256, 3)
    light = palette[:255] @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > -1).all()  # darker to lighter
    assert palette[255].tolist() == [128, 128, 128]


def test_columns_show_errors() -> None:
    heading, box = layer_curve("of each layer alone", [0.01, 0.03], "product")
    assert heading.text == "Error of each layer alone, share of energy"
    heights = [float(bar.get("height", "")) for bar in box.iter("rect")]
    assert heights == [25, 75]  # of an axis that ends at 4 %
    assert [tick.text for tick in box[0]] == ["4%", "3%", "2%", "1%", "0"]


def test_the_command_writes_a_page_that_asks_for_nothing(checkpoint: Path, tmp_path: Path) -> None:
    """As of an exporter that states no provenance and packs no tokenizer."""
    export(checkpoint, tmp_path / "p", program=None)
    np.save(tmp_path / "text.npy", TOKENS.ravel())
    page = tmp_path / "page.html"
    options: list[str | Path] = ["--against", checkpoint, "--text", tmp_path / "text.npy", "--html", page]
    result = llq("eval", tmp_path / "p", *options)
    assert result.exit_code == 0, result.stderr
    assert f"wrote {page}" in result.stderr
    written = page.read_text(encoding="utf-8")
    assert "<script" not in written
    assert not re.search(r"(src|href)=\"(?!data:)", written)
    assert (
        len(re.findall(r"<img [^>]*title=", written)) == 2 * 13
    )  # of error and scale, 4 matrices a layer and the head
    for words in ("Error of each layer", "Scale of each block", "has a tokenizer", "95 %", "perplexity"):
        assert words in written
