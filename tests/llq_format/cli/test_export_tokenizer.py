"""`llq export --tokenizer` and `--no-tokenizer`, on GGUF files whose tokenizer cannot be rebuilt."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from tests.support.checkpoint_cases import write_checkpoint
from tests.support.command_line import llq
from tests.support.gguf_files import V, plain, weights, write
from tests.support.sentencepiece_models import AS_LLAMA, train

TOKENS = [chr(ord("!") + n) for n in range(V - 2)] + ["<s>", "</s>"]
UNKNOWN: dict[str, Any] = {
    "tokenizer__ggml__model": "gpt2",
    "tokenizer__ggml__pre": "nonesuch",
    "tokenizer__ggml__tokens": TOKENS,
    "tokenizer__ggml__token_type": [1] * (V - 2) + [3, 3],
    "tokenizer__ggml__merges": ["! !"],
    "tokenizer__ggml__bos_token_id": V - 2,
    "tokenizer__ggml__eos_token_id": V - 1,
    "tokenizer__chat_template": "{{ messages[0].content }}",
}

HURRIED = ("--no-program", "--method", "rtn")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write(tmp_path / "model.gguf", plain(weights()), **UNKNOWN)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    original = Tokenizer(BPE({token: i for i, token in enumerate(TOKENS)}, []))
    original.pre_tokenizer = ByteLevel(add_prefix_space=False)
    original.decoder = ByteLevelDecoder()
    original.add_special_tokens([AddedToken(token, special=True) for token in TOKENS[-2:]])
    path = tmp_path / "original" / "tokenizer.json"
    path.parent.mkdir()
    original.save(str(path))
    return path


def metadata(package: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((package / "metadata.json").read_text())
    return value


def test_refusal_names_both_options(checkpoint: Path, tmp_path: Path) -> None:
    result = llq("export", checkpoint, tmp_path / "p", "--no-program", "--method", "rtn")
    assert result.exit_code == 1
    assert "tokenizer.ggml.pre is 'nonesuch'" in result.stderr
    assert "--tokenizer FILE" in result.stderr
    assert "--no-tokenizer" in result.stderr
    assert not (tmp_path / "p").exists()


def test_package_without_tokenizer(checkpoint: Path, tmp_path: Path) -> None:
    assert (
        llq(
            "export", checkpoint, tmp_path / "p", "--no-program", "--method", "rtn", "--no-tokenizer"
        ).exit_code
        == 0
    )
    assert "tokenizer" not in metadata(tmp_path / "p")
    assert not (tmp_path / "p" / "tokenizer.json").exists()


@pytest.mark.parametrize("whole", [True, False], ids=["directory", "file"])
def test_another_tokenizer(checkpoint: Path, tokenizer: Path, tmp_path: Path, *, whole: bool) -> None:
    """What its directory does not state, the keys of the GGUF file state."""
    path = tokenizer.parent if whole else tokenizer
    assert (
        llq(
            "export", checkpoint, tmp_path / "p", "--no-program", "--method", "rtn", "--tokenizer", path
        ).exit_code
        == 0
    )
    entry = metadata(tmp_path / "p")["tokenizer"]
    assert entry["eos_token_ids"] == [V - 1]
    assert entry["chat_template"] == UNKNOWN["tokenizer__chat_template"]
    written = Tokenizer.from_file(str(tmp_path / "p" / "tokenizer.json"))
    assert written.encode("!#").ids == [0, 2]
    assert llq("validate", tmp_path / "p").exit_code == 0


def test_settings_next_to_the_tokenizer_decide(checkpoint: Path, tokenizer: Path, tmp_path: Path) -> None:
    (tokenizer.parent / "chat_template.jinja").write_text("{{ 1 }}")
    assert (
        llq(
            "export", checkpoint, tmp_path / "p", "--no-program", "--method", "rtn", "--tokenizer", tokenizer
        ).exit_code
        == 0
    )
    assert metadata(tmp_path / "p")["tokenizer"]["chat_template"] == "{{ 1 }}"


@pytest.mark.parametrize("whole", [True, False], ids=["directory", "file"])
def test_another_sentencepiece_model(tmp_path: Path, *, whole: bool) -> None:
    """A file that is named is read even if a tokenizer.json is next to it."""
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    (tmp_path / "original").mkdir()
    model = train(tmp_path / "original" / "tokenizer.model", **AS_LLAMA)
    if not whole:
        (model.parent / "tokenizer.json").write_text("{}")
    path = model.parent if whole else model
    result = llq("export", checkpoint, tmp_path / "p", *HURRIED, "--tokenizer", path)
    assert result.exit_code == 0, result.stderr
    written = Tokenizer.from_file(str(tmp_path / "p" / "tokenizer.json"))
    oracle = pytest.importorskip("sentencepiece").SentencePieceProcessor(model_file=str(model))
    for text in ("a tokenizer learns", " two  spaces", "\u00e9\n"):
        assert written.encode(text, add_special_tokens=False).ids == oracle.encode(text), text


def test_a_damaged_sentencepiece_model_is_refused(tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint")
    path = tmp_path / "tokenizer.model"
    path.write_bytes(b"\xff" * 20)
    result = llq("export", checkpoint, tmp_path / "p", *HURRIED, "--tokenizer", path)
    assert result.exit_code == 1
    assert "tokenizer.model is not a SentencePiece model: it is not a protocol buffer" in result.stderr


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--tokenizer", "nonesuch/tokenizer.json"], 1, "nonesuch/tokenizer.json: no such file"),
        (["--tokenizer", "tests"], 1, "tests/tokenizer.json and tests/tokenizer.model: no such file"),
        (["--tokenizer", "pyproject.toml"], 1, "with the name tokenizer.json or tokenizer.model"),
        (["--tokenizer", "a/tokenizer.json", "--no-tokenizer"], 2, "contradict each other"),
    ],
)
def test_unusable_options_are_named(
    checkpoint: Path, tmp_path: Path, options: list[str], status: int, message: str
) -> None:
    result = llq("export", checkpoint, tmp_path / "p", *options)
    assert result.exit_code == status
    assert message in " ".join(result.stderr.replace("│", " ").split())
