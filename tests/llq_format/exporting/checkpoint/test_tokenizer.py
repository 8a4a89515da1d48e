"""Tokenizers: from a directory, and rebuilt from a GGUF file."""

import json
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing

from llq_format import TokenizerFiles
from llq_format.exporting.checkpoint import CheckpointError, gguf_tokenizer, huggingface_tokenizer
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.pre_tokenizers import PRE_TOKENIZERS

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
TEXTS = [
    "",
    "Hello, world!",
    "It's 2024, they'll pay $12,345.67 -- won't they?",
    "caf\u00e9 na\u00efve \u03a9\u03bc\u03ad\u03b3\u03b1 \u65e5\u672c\u8a9e e\u0301",
    "\U0001f389\U0001f469\u200d\U0001f469\u200d\U0001f467 \u0661\u0662\u0663",
    "a\n\n  b\t c\r\n\r\nd   \n ",
    "def f(x):\n    return x**2  # \\n\n",
    "<|im_start|>user\nhi<|im_end|>\n",
]


def byte_symbols() -> list[str]:
    """Return the symbol of each byte, as GPT-2 assigned them: printable bytes are themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
JOINED = ["\u0120t", "he", "\u0120the", "12", "123", "ll", "'ll", "Hello"]
MERGES = ["\u0120 t", "h e", "\u0120t he", "1 2", "12 3", "l l", "' ll"]
TOKENS = [*SPECIAL, *byte_symbols(), *JOINED, "[keep  me]"]


def metadata(**changes: Any) -> Keys:
    """Return the GGUF keys of a small byte-level BPE."""
    types = [CONTROL] * 3 + [NORMAL] * (len(TOKENS) - 4) + [USER_DEFINED]
    values = {
        "model": "gpt2",
        "pre": "smollm",
        "tokens": TOKENS,
        "token_type": types,
        "merges": MERGES,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "add_bos_token": False,
    } | changes
    return Keys({f"tokenizer.ggml.{key}": value for key, value in values.items()}, "m.gguf")


def rebuilt(**changes: Any) -> tuple[TokenizerFiles, Tokenizer]:
    files = gguf_tokenizer.read(metadata(**changes), len(TOKENS))
    return files, Tokenizer.from_str(files.tokenizer_json.decode())


def tokens(text: str, **changes: Any) -> list[str]:
    return list(rebuilt(**changes)[1].encode(text).tokens)


@pytest.mark.parametrize("pre", sorted(name for name, pre in PRE_TOKENIZERS.items() if not pre.nfc))
@pytest.mark.parametrize("text", TEXTS)
def test_texts_come_back(pre: str, text: str) -> None:
    tokenizer = rebuilt(pre=pre)[1]
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


@pytest.mark.parametrize(("name", "strips"), [("Phi-3-mini", True), ("phi3", True), ("Phi-4", False)])
def test_added_tokens_of_phi3_take_the_space_after_them(name: str, *, strips: bool) -> None:
    keys = Keys({**metadata().values, "general.name": name}, "m.gguf")
    files = gguf_tokenizer.read(keys, len(TOKENS))
    found = Tokenizer.from_str(files.tokenizer_json.decode()).encode("<|im_end|> \na<|endoftext|>\n").ids
    between = [] if strips else ["\u0120", "\u010a"]
    assert [TOKENS[i] for i in found] == ["<|im_end|>", *between, "a", "<|endoftext|>", "\u010a"]


def test_every_token_keeps_its_id() -> None:
    vocabulary = rebuilt()[1].get_vocab(with_added_tokens=True)
    assert [token for token, _ in sorted(vocabulary.items(), key=lambda item: item[1])] == TOKENS


def test_bytes_are_deterministic() -> None:
    assert rebuilt()[0].tokenizer_json == rebuilt()[0].tokenizer_json


def test_control_tokens_are_single_and_special() -> None:
    tokenizer = rebuilt()[1]
    encoding = tokenizer.encode("<|im_start|>user<|im_end|>")
    assert encoding.ids[0] == 1
    assert encoding.ids[-1] == 2
    assert tokenizer.decode(encoding.ids) == "user"


def test_user_defined_tokens_are_single_and_text() -> None:
    tokenizer = rebuilt()[1]
    encoding = tokenizer.encode("a[keep  me]b")
    assert encoding.tokens == ["a", "[keep  me]", "b"]
    assert tokenizer.decode(encoding.ids) == "a[keep  me]b"


def test_merges_apply_in_order() -> None:
    assert tokens(" the then") == ["\u0120the", "\u0120the", "n"]


@pytest.mark.parametrize(
    ("pre", "expected"),
    [
        ("smollm", ["1", "2", "3", "4"]),
        ("llama-bpe", ["123", "4"]),
        ("gpt-2", ["123", "4"]),
        ("default", ["123", "4"]),
        ("qwen2", ["1", "2", "3", "4"]),
        ("falcon3", ["123", "4"]),
        ("tekken", ["1", "2", "3", "4"]),
        ("gpt-4o", ["123", "4"]),
        ("deepseek-llm", ["123", "4"]),
        ("deepseek-coder", ["1", "2", "3", "4"]),
    ],
)
def test_digits_are_cut_as_the_pre_tokenizer_says(pre: str, expected: list[str]) -> None:
    assert tokens("1234", pre=pre) == expected


@pytest.mark.parametrize(("pre", "expected"), [("gpt-2", ["'ll"]), ("default", ["'", "ll"])])
def test_the_default_cuts_punctuation_off_first(pre: str, expected: list[str]) -> None:
    assert tokens("'ll", pre=pre) == expected


def test_llama3_takes_whole_words_without_merges() -> None:
    assert tokens("Hello", pre="llama-bpe") == ["Hello"]
    assert tokens("Hello", pre="gpt-2") == ["H", "e", "ll", "o"]


@pytest.mark.parametrize(
    ("pre", "expected"),
    [
        ("tekken", ["Hello", "World", "'LL", "\u0120a", "/\u010a", "b"]),
        ("gpt-4o", ["Hello", "World'LL", "\u0120a", "/\u010a", "b"]),
        ("qwen2", ["HelloWorld", "'LL", "\u0120a", "/\u010a", "b"]),
        ("poro-chat", ["HelloWorld'LL", "\u0120a/", "\u010a", "b"]),
    ],
)
def test_words_end_where_the_pre_tokenizer_says(pre: str, expected: list[str]) -> None:
    pre_tokenizer = rebuilt(pre=pre)[1].pre_tokenizer
    assert [word for word, _ in pre_tokenizer.pre_tokenize_str("HelloWorld'LL a/\nb")] == expected


def test_llama3_keeps_line_ends_with_punctuation() -> None:
    pre_tokenizer = rebuilt(pre="llama-bpe")[1].pre_tokenizer
    words = [word for word, _ in pre_tokenizer.pre_tokenize_str("WE'LL go!\n\n 12345")]
    assert words == ["WE", "'LL", "\u0120go", "!\u010a\u010a", "\u0120", "123", "45"]


@pytest.mark.parametrize(
    ("changes", "bos"),
    [
        ({"add_bos_token": False}, None),
        ({"add_bos_token": True}, 1),
        ({"add_bos_token": None}, None),
        ({"add_bos_token": None, "pre": "llama-bpe"}, 1),
        ({"add_bos_token": False, "pre": "llama-bpe"}, None),
        ({"add_bos_token": True, "bos_token_id": None}, None),
    ],
)
def test_bos_token_is_stated_and_put_first_if_wanted(changes: dict[str, Any], bos: int | None) -> None:
    files, tokenizer = rebuilt(**changes)
    assert files.bos_token_id == bos
    prefix = [] if bos is None else [bos]
    assert tokenizer.encode("a").ids == [*prefix, TOKENS.index("a")]
    assert tokenizer.encode("a", add_special_tokens=False).ids == [TOKENS.index("a")]


def test_every_token_that_ends_an_answer_is_stated_once() -> None:
    assert rebuilt()[0].eos_token_ids == [2]
    assert rebuilt(eot_token_id=0, eom_token_id=2)[0].eos_token_ids == [2, 0]
    assert rebuilt(eos_token_id=None)[0].eos_token_ids == []


@pytest.mark.parametrize("add_bos", [True, False])
def test_texts_of_special_tokens_are_stated(*, add_bos: bool) -> None:
    files, _ = rebuilt(add_bos_token=add_bos, padding_token_id=0)
    assert files.special_tokens == {
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
    }


def test_chat_template_is_used() -> None:
    keys = metadata()
    assert gguf_tokenizer.read(keys, len(TOKENS)).chat_template is None
    keys = Keys({**keys.values, "tokenizer.chat_template": "{{ x }}"}, "m.gguf")
    assert gguf_tokenizer.read(keys, len(TOKENS)).chat_template == "{{ x }}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"model": "t5"},
            r"m\.gguf: tokenizer\.ggml\.model is 't5'; supported are 'gpt2' and 'llama': pass the ",
        ),
        (
            {"model": "llama"},
            r"tokenizer\.ggml\.tokens has no piece '<0x00>', .* --tokenizer FILE, .* --no-tok",
        ),
        (
            {"pre": "nonesuch"},
            r"tokenizer\.ggml\.pre is 'nonesuch', a pre-tokenizer .* --tokenizer FILE, .* --no-t",
        ),
        ({"pre": None}, r"tokenizer\.ggml\.pre is missing, .* --tokenizer FILE, .* --no-tokenizer"),
        ({"tokens": None}, r"tokenizer\.ggml\.tokens is missing"),
        ({"tokens": [*TOKENS[:-1], 3]}, r"tokenizer\.ggml\.tokens is not an array of str"),
        ({"tokens": [*TOKENS[:-1], "a"]}, r"tokenizer\.ggml\.tokens has a token twice"),
        ({"tokens": [*TOKENS, "more"]}, r"tokens has 269 tokens, but the embedding has 268 rows"),
        ({"token_type": [NORMAL]}, r"token_type has 1 types for 268 tokens"),
        ({"token_type": None}, r"token_type is missing"),
        ({"merges": ["h e", "z z"]}, r"merges has a merge of unknown tokens at rank 1: 'z z'"),
        ({"merges": ["he"]}, r"merges has a merge of unknown tokens at rank 0: 'he'"),
        ({"eos_token_id": 268}, r"eos_token_id is 268, not an integer from 0 to 267"),
        ({"bos_token_id": -1, "add_bos_token": True}, r"bos_token_id is -1"),
    ],
)
def test_tokenizer_that_cannot_be_rebuilt_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        rebuilt(**changes)


def write_tokenizer(directory: Path, *, bos: bool) -> bytes:
    """Write a tokenizer.json with or without a BOS token of its own."""
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(TOKENS)}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    if bos:
        first = SPECIAL[0]
        tokenizer.post_processor = TemplateProcessing(single=[first, "$A"], special_tokens=[(first, 0)])
    text = tokenizer.to_str(pretty=True).encode() + b"\n"
    (directory / "tokenizer.json").write_bytes(text)
    return text


def read_files(directory: Path, config: dict[str, Any], **files: Any) -> TokenizerFiles | None:
    for name, value in files.items():
        (directory / f"{name}.json").write_text(json.dumps(value))
    return huggingface_tokenizer.read(directory, Keys(config, "config.json"), len(TOKENS))[0]


def test_directory_without_tokenizer(tmp_path: Path) -> None:
    assert read_files(tmp_path, {"bos_token_id": 0, "eos_token_id": 1}) is None


def test_tokenizer_json_is_taken_as_it_is(tmp_path: Path) -> None:
    text = write_tokenizer(tmp_path, bos=True)
    files = read_files(tmp_path, {"bos_token_id": 0, "eos_token_id": 2})
    assert files == TokenizerFiles(text, 0, [2], None, {})


def test_end_tokens_of_all_files_are_united(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, bos=False)
    files = read_files(tmp_path, {"eos_token_id": 0}, generation_config={"eos_token_id": [2, 1, 2]})
    assert files is not None
    assert files.eos_token_ids == [2, 1, 0]


@pytest.mark.parametrize("eos", [len(TOKENS), -1, "2", [0, None], 1.5])
def test_eos_token_outside_the_vocabulary_is_refused(tmp_path: Path, eos: object) -> None:
    write_tokenizer(tmp_path, bos=False)
    with pytest.raises(CheckpointError, match=r"generation_config\.json: eos_token_id is "):
        read_files(tmp_path, {}, generation_config={"eos_token_id": eos})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ a }}", "{{ a }}"),
        (None, None),
        ([{"name": "tool_use", "template": "t"}, {"name": "default", "template": "{{ d }}"}], "{{ d }}"),
        ([{"name": "tool_use", "template": "t"}], None),
    ],
)
def test_chat_template_of_the_tokenizer_config(tmp_path: Path, value: object, expected: str | None) -> None:
    write_tokenizer(tmp_path, bos=False)
    files = read_files(tmp_path, {}, tokenizer_config={"chat_template": value})
    assert files is not None
    assert files.chat_template == expected


def test_chat_template_file_comes_first(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, bos=False)
    (tmp_path / "chat_template.jinja").write_bytes("{{ b }} \u00e9\n".encode())
    files = read_files(tmp_path, {}, tokenizer_config={"chat_template": "{{ a }}"})
    assert files is not None
    assert files.chat_template == "{{ b }} \u00e9\n"


def test_broken_tokenizer_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"tokenizer\.json: not a tokenizer"):
        read_files(tmp_path, {})


def test_broken_chat_template_is_named(tmp_path: Path) -> None:
    write_tokenizer(tmp_path, bos=False)
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(CheckpointError, match=r"chat_template\.jinja: is not UTF-8"):
        read_files(tmp_path, {})
