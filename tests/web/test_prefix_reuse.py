"""What the JavaScript runtime keeps of earlier prompts, bit for bit, in Deno on a software adapter."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.runtimes.javascript.deno import FLAGS
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE, Temperature
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.planning.program_files import ProgramOptions
from tests.support.repository import WEB
from tests.support.timeouts import seconds
from tests.support.web.serving import served

pytestmark = pytest.mark.gpu

TINY = replace(GEOMETRIES["tiny"], context_length=640)
FEED_FORWARD = FFN("silu", gated=True, intermediate_size=96, moe=None)
EXPERTS = replace(FEED_FORWARD, moe=MoE(3, 64))
CHUNKED = Attention(rope=True, qk_norm=True, chunk_size=5, temperature=None)
WITHOUT_ROPE = Attention(rope=False, qk_norm=False, chunk_size=None, temperature=Temperature(0.5, 3))
AFFINE = replace(CHUNKED, qk_norm=False, chunk_size=None, qkv_bias=True, weighted_qk_norm=True)
MODELS: dict[str, tuple[Model, ProgramOptions]] = {
    "dense": (TINY, ProgramOptions(8, "f16")),
    "dense, chunks of more than one tile": (TINY, ProgramOptions(80, "f32")),
    "experts, chunked attention and layers without RoPE": (
        replace(
            TINY,
            rope_pairing="interleaved",
            layers=(Layer(CHUNKED, EXPERTS), Layer(WITHOUT_ROPE, FEED_FORWARD), Layer(CHUNKED, EXPERTS)),
            fp16_layers=1,
        ),
        ProgramOptions(8, "f16"),
    ),
    "biases and weighted norms": (
        replace(TINY, layers=(Layer(AFFINE, FEED_FORWARD),) * 2),
        ProgramOptions(8, "f32"),
    ),
}
ANSWER = 20
"""Tokens of an answer, as web/test/api/prefix_reuse.mjs asks for them."""

CHUNKS_KEPT = {
    "the same prompt": 2,
    "prompt, answer and more": 2,
    "another first id": 0,
    "an id less than a chunk": 0,
    "a chunk": 1,
    "an id more than a chunk": 1,
    "a prompt of one chunk": 0,
    "a prompt of two chunks": 1,
    "a prompt of two chunks and an id": 2,
    "a prompt of one id": 0,
    "after whole chunks": 3,
    "after another prompt": 0,
    "after a prefill that was aborted in its second chunk": 1,
    "after an error of the device": 0,
    "after a prefill that failed in its second chunk": 0,
}


@pytest.mark.parametrize("name", MODELS)
def test_whole_chunks_are_kept_and_results_are_equal_bit_for_bit(name: str, tmp_path: Path) -> None:
    model, program = MODELS[name]
    synth(model, tmp_path / "package", program=program)
    with served(tmp_path / "package") as url:
        seen = _seen(f"{url}model/")
    expected = {case: [program.chunk * chunks, True, True] for case, chunks in CHUNKS_KEPT.items()}
    kept, same, _ = seen.pop("kept whichever pass computed it")
    assert seen == expected
    assert kept == 2 * program.chunk + 3 + ANSWER - 1  # the last token of an answer was not computed
    assert not same  # a difference of bits would be seen


def _seen(url: str) -> dict[str, Any]:
    """Make all calls with one model: compiling its kernels takes longest."""
    deno = shutil.which("deno")
    assert deno is not None, "deno is not on the path: pip install deno"
    process = subprocess.run(  # noqa: S603  # our own script
        [deno, "run", *FLAGS, str(WEB / "test" / "api" / "prefix_reuse.mjs"), url],
        capture_output=True,
        text=True,
        timeout=seconds(120),
        check=False,
    )
    assert process.returncode == 0, process.stderr
    result: dict[str, Any] = json.loads(process.stdout)
    return result
