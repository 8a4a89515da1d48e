"""SentencePiece models for tests, trained on a chapter of the specification."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.repository import ROOT

SIZE = 460
"""Number of pieces."""

AS_LLAMA: dict[str, Any] = {
    "model_type": "bpe",
    "byte_fallback": True,
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
}


def train(path: Path, **options: Any) -> Path:
    """Write a model, whose name ends in .model; skips the test without the package sentencepiece."""
    trainer = pytest.importorskip("sentencepiece").SentencePieceTrainer
    text = (ROOT / "spec/decoder.md").read_text(encoding="utf-8")
    lines = [line[:400] for line in text.splitlines() if line.strip()]
    corpus = path.with_suffix(".txt")
    corpus.write_text("\n".join(lines), encoding="utf-8")
    prefix = str(path.with_suffix(""))
    trainer.train(input=str(corpus), model_prefix=prefix, vocab_size=SIZE, minloglevel=2, **options)
    return path
