"""SentencePiece vocabularies, on a vocabulary small enough to join by hand."""

from typing import Any

import pytest
from tokenizers import Tokenizer

from llq_format import TokenizerFiles
from llq_format.exporting.checkpoint import CheckpointError, gguf_tokenizer
from llq_format.exporting.checkpoint.keys import Keys

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6
SPACE = "\u2581"

PIECES = [
    ("<unk>", 0.0, UNKNOWN),
    ("<s>", 0.0, CONTROL),
    ("</s>", 0.0, CONTROL),
    *((f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)),
    (f"{SPACE}a", -1.0, NORMAL),
    ("ab", -2.0, NORMAL),
    ("bc", -3.0, NORMAL),
    ("abc", -4.0, NORMAL),
    (SPACE, -5.0, NORMAL),
    ("a", -6.0, NORMAL),
    ("b", -7.0, NORMAL),
    ("c", -8.0, NORMAL),
    ("<|user|>", 0.0, USER_DEFINED),
]
TOKENS = [piece for piece, _, _ in PIECES]


def metadata(**changes: Any) -> Keys:
    values = {
        "model": "llama",
        "pre": "default",
        "tokens": TOKENS,
        "scores": [score for _, score, _ in PIECES],
        "token_type": [kind for _, _, kind in PIECES],
        "bos_token_id": 1,
        "eos_token_id": 2,
    } | changes
    return Keys({f"tokenizer.ggml.{key}": value for key, value in values.items()}, "m.gguf")


def rebuilt(**changes: Any) -> tuple[TokenizerFiles, Tokenizer]:
    files = gguf_tokenizer.read(metadata(**changes), len(TOKENS))
    return files, Tokenizer.from_str(files.tokenizer_json.decode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", [f"{SPACE}a"]),
        ("abc", [f"{SPACE}a", "bc"]),  # the highest score first: the space takes the a
        ("cabc", [SPACE, "c", "abc"]),
        (" ", [SPACE, SPACE]),
        ("b\n", [SPACE, "b", "<0x0A>"]),
        ("\u00e9", [SPACE, "<0xC3>", "<0xA9>"]),
        ("b<|user|>c", [SPACE, "b", "<|user|>", SPACE, "c"]),
        ("b</s>", [SPACE, "b", "</s>"]),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    tokenizer = rebuilt()[1]
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert encoding.tokens == expected
    if "<" not in text:
        assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == text


def test_no_space_before_a_text_if_the_file_says_so() -> None:
    tokenizer = rebuilt(add_space_prefix=False)[1]
    encoding = tokenizer.encode("ab c", add_special_tokens=False)
    assert encoding.tokens == ["ab", SPACE, "c"]
    assert tokenizer.decode(encoding.ids) == "ab c"
    spaced = tokenizer.encode(" c", add_special_tokens=False)
    assert tokenizer.decode(spaced.ids) == " c"


def test_every_token_keeps_its_id() -> None:
    vocabulary = rebuilt()[1].get_vocab(with_added_tokens=True)
    assert [token for token, _ in sorted(vocabulary.items(), key=lambda item: item[1])] == TOKENS


@pytest.mark.parametrize(("stated", "bos"), [({}, 1), ({"add_bos_token": False}, None)])
def test_a_text_begins_with_bos_unless_the_file_says_otherwise(
    stated: dict[str, Any], bos: int | None
) -> None:
    files, tokenizer = rebuilt(**stated)
    assert files.bos_token_id == bos
    assert files.eos_token_ids == [2]
    assert tokenizer.encode("a").ids == [*([] if bos is None else [bos]), TOKENS.index(f"{SPACE}a")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": None}, r"tokenizer\.ggml\.scores is missing, .* --tokenizer FILE, .* --no-tokenizer"),
        ({"scores": [0.0]}, r"tokenizer\.ggml\.scores has 1 scores for 268 tokens"),
        ({"scores": ["a"] * 268}, r"tokenizer\.ggml\.scores is not an array of float"),
        ({"tokens": ["?", *TOKENS[1:]], "unknown_token_id": 999}, r"unknown_token_id is 999, not an integer"),
        (
            {"tokens": [token.replace("<0x41>", "A") for token in TOKENS]},
            r"has no piece '<0x41>', .* --tokenizer",
        ),
    ],
)
def test_vocabulary_that_cannot_be_rebuilt_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        rebuilt(**changes)
