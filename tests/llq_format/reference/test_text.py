"""Text and tokens: the beginning token, streaming by whole characters, chat templates."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

import llq_format
from llq_format import TokenizerFiles
from llq_format.reference.text import TextTokenizer
from tests.support import sample_packages

_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<a>{% endif %}"
)


def _tokenizer_json() -> bytes:
    """Return a byte-level tokenizer without merges; ids 0 and 1 are <s> and </s>."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {"<s>": 0, "</s>": 1} | {symbol: number + 2 for number, symbol in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return tokenizer.to_str().encode()


@pytest.fixture
def tokenizer(tmp_path: Path) -> TextTokenizer:
    files = TokenizerFiles(_tokenizer_json(), 0, (1,), _TEMPLATE)
    sample_packages.write_model(tmp_path / "package", tokenizer=files)
    with llq_format.open(tmp_path / "package") as package:
        return TextTokenizer(package)


def test_the_beginning_token_appears_once(tokenizer: TextTokenizer) -> None:
    assert tokenizer.encode("ab").count(0) == 1
    assert tokenizer.encode("<s>ab") == tokenizer.encode("ab")
    assert tokenizer.encode("")[:1] == [0]


def test_text_survives_encoding_and_special_tokens_are_not_shown(tokenizer: TextTokenizer) -> None:
    text = "naïve 東京 🦙\n\t2026"
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_stream_never_ends_within_a_character(tokenizer: TextTokenizer) -> None:
    text = "a🦙é"
    pieces = list(tokenizer.stream(tokenizer.encode(text)))
    assert "".join(pieces) == text
    assert [piece for piece in pieces if piece] == ["a", "🦙", "é"]
    unfinished = tokenizer.encode("🦙")[:-1]
    assert "".join(tokenizer.stream(unfinished)) == "\ufffd"  # the incomplete character is shown in the end


def test_a_chat_template_sees_messages_and_special_tokens(tokenizer: TextTokenizer) -> None:
    assert tokenizer.chat([{"role": "user", "content": "hi"}]) == "<s><user>hi<a>"


def test_what_a_package_lacks_is_reported(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "none", tokenizer=None)
    with llq_format.open(tmp_path / "none") as package, pytest.raises(ValueError, match="no tokenizer"):
        TextTokenizer(package)
    sample_packages.write_model(tmp_path / "bad", tokenizer=TokenizerFiles(b"{}", None, (), None))
    with llq_format.open(tmp_path / "bad") as package, pytest.raises(ValueError, match="tokenizers library"):
        TextTokenizer(package)
    files = TokenizerFiles(_tokenizer_json(), None, (), "{{ raise_exception('no') }}")
    sample_packages.write_model(tmp_path / "refuses", tokenizer=files)
    with (
        llq_format.open(tmp_path / "refuses") as package,
        pytest.raises(ValueError, match="refuses the messages"),
    ):
        TextTokenizer(package).chat([])
