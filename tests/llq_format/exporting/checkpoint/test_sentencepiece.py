"""A tokenizer.model without tokenizer.json: the ids that transformers and SentencePiece give."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from llq_format.exporting.checkpoint import huggingface_tokenizer, sentencepiece_file
from llq_format.exporting.checkpoint.keys import read_json
from llq_format.metadata.tokenizer import TokenizerFiles
from tests.support.checkpoint_cases import write_checkpoint
from tests.support.sentencepiece_models import AS_LLAMA, SIZE, train

sentencepiece = pytest.importorskip("sentencepiece")
pytest.importorskip("google.protobuf")
transformers = pytest.importorskip("transformers")

TEXTS = [
    "",
    "hello world",
    "  two  spaces  ",
    " a",
    "é日本🦙\n\nx\ty",
    "hi</s>",
    "a<unk>b",
    "<mask>x <mask> world",
    "\u2581x \u2581",
    "don't 123 4567",
    "ﬁ ① Å",
    "x" * 50,
    "# Decoder\n\nA sequence is computed by these steps: 1. 2.",
]
MODELS: dict[str, dict[str, Any]] = {
    "as Llama": {name: value for name, value in AS_LLAMA.items() if name != "model_type"},
    "as the defaults": {"byte_fallback": True},
    "without bytes and dummy prefix": {"byte_fallback": False, "add_dummy_prefix": False},
    "with pieces of the user": {"byte_fallback": True, "user_defined_symbols": ["<mask>", "world"]},
}
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "BOS": {"add_bos_token": True},
    "not legacy": {"legacy": False},
    "legacy": {"legacy": True, "add_bos_token": True},
}


@pytest.fixture(scope="module", params=[(kind, name) for kind in ("bpe", "unigram") for name in MODELS])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind, name = request.param
    return train(tmp_path_factory.mktemp("sentencepiece") / "m.model", model_type=kind, **MODELS[name])


def checkpoint(directory: Path, model: Path, **settings: Any) -> Path:
    write_checkpoint(directory, settings={"bos_token": "<s>", "eos_token": "</s>", **settings})
    (directory / "tokenizer.json").unlink()
    shutil.copy(model, directory / "tokenizer.model")
    return directory


def read(directory: Path) -> tuple[TokenizerFiles, Tokenizer]:
    files, _ = huggingface_tokenizer.read(directory, read_json(directory / "config.json"), SIZE)
    assert files is not None
    return files, Tokenizer.from_str(files.tokenizer_json.decode())


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_ids_and_texts_are_those_of_transformers(
    model: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    directory = checkpoint(tmp_path / "checkpoint", model, **settings)
    oracle = transformers.AutoTokenizer.from_pretrained(directory)
    files, tokenizer = read(directory)
    assert files.bos_token_id == (1 if settings.get("add_bos_token") else None)
    assert 2 in files.eos_token_ids
    for text in TEXTS:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        assert ids == oracle(text, add_special_tokens=False).input_ids, text
        assert [*([1] if files.bos_token_id else []), *ids] == oracle(text).input_ids, text
        assert tokenizer.decode(ids) == oracle.decode(ids, skip_special_tokens=True)


def test_ids_are_those_of_sentencepiece(model: Path, tmp_path: Path) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_file=str(model))
    _, tokenizer = read(checkpoint(tmp_path / "checkpoint", model))
    for text in TEXTS:
        if "<unk>" in text or "</s>" in text:  # SentencePiece reads them as plain text
            continue
        assert tokenizer.encode(text, add_special_tokens=False).ids == processor.encode(text), text


def test_llama_class_has_the_ids_of_transformers(tmp_path: Path, model: Path) -> None:
    parsed = sentencepiece_file.parse(model.read_bytes())
    if parsed.remove_extra_whitespaces or parsed.kind == "unigram":
        pytest.skip("the class of transformers ignores these settings of a model")
    directory = checkpoint(tmp_path / "checkpoint", model, tokenizer_class="LlamaTokenizer")
    oracle = transformers.AutoTokenizer.from_pretrained(directory)
    assert type(oracle).__name__ == "LlamaTokenizer"
    _, tokenizer = read(directory)
    for text in TEXTS:
        assert tokenizer.encode(text, add_special_tokens=False).ids == oracle(text).input_ids, text


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\x0a\xff", b"\x0a\x03\x0a\x01", b"\x12\x02\x18\x03", b"\x0b", b"\x80" * 11]
)
def test_other_files_are_a_warning(tmp_path: Path, data: bytes) -> None:
    directory = write_checkpoint(tmp_path / "checkpoint")
    (directory / "tokenizer.json").unlink()
    (directory / "tokenizer.model").write_bytes(data)
    files, (warning,) = huggingface_tokenizer.read(directory, read_json(directory / "config.json"), SIZE)
    assert files is None
    assert warning.id == "no-tokenizer"
    assert "because tokenizer.model is not a SentencePiece model: " in warning.message
