"""Tokenizers rebuilt from GGUF vocabularies, against the ids of llama.cpp and of transformers."""

import unicodedata
from functools import cache
from itertools import pairwise
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer
from transformers.models.cohere.tokenization_cohere import CohereTokenizer
from transformers.models.gpt2.tokenization_gpt2 import GPT2Tokenizer
from transformers.models.llama.tokenization_llama import LlamaTokenizer
from transformers.models.qwen2.tokenization_qwen2 import Qwen2Tokenizer
from transformers.models.qwen3_5.tokenization_qwen3_5 import Qwen3_5Tokenizer

from llq_format import TokenizerFiles
from llq_format.exporting.checkpoint import CheckpointError, gguf_tokenizer
from llq_format.exporting.checkpoint.gguf_file import GgufFile
from llq_format.exporting.checkpoint.keys import Keys
from tests.support.llama_cpp_vocabularies import expectations, vocabularies
from tests.support.texts import texts

pytestmark = pytest.mark.slow

NAMES = {
    "command-r": 47,
    "deepseek-coder": 47,
    "deepseek-llm": 47,
    "falcon": 47,
    "gpt-2": 47,
    "llama-bpe": 47,
    "llama-spm": 47,
    "mpt": 47,
    "phi-3": 47,
    "qwen2": 47,
    "qwen35": 48,
    "refact": 47,
    "starcoder": 47,
}
"""By vocabulary, the number of compared texts. Three texts of qwen35 are not in NFC, see below."""


@cache
def metadata(name: str) -> Keys:
    return GgufFile(vocabularies() / f"ggml-vocab-{name}.gguf").metadata


@cache
def files(name: str) -> TokenizerFiles:
    return gguf_tokenizer.read(metadata(name), 2**20)


@cache
def tokenizer(name: str) -> Tokenizer:
    return Tokenizer.from_str(files(name).tokenizer_json.decode())


def ids_of(name: str, text: str) -> list[int]:
    return list(tokenizer(name).encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_those_that_llama_cpp_expects(name: str) -> None:
    """llama.cpp does not normalize texts; transformers does, and so do the tokenizers here."""
    normalized = tokenizer(name).normalizer is not None and "NFC" in str(tokenizer(name).normalizer)
    compared = [
        (text, ids)
        for text, ids in expectations(name)
        if not normalized or unicodedata.is_normalized("NFC", text)
    ]
    assert len(compared) == NAMES[name]
    for text, ids in compared:
        assert ids_of(name, text) == ids, text
        assert tokenizer(name).decode(ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("name", ["deepseek-coder", "gpt-2", "llama-bpe", "llama-spm", "starcoder"])
def test_texts_come_back(name: str) -> None:
    """DeepSeek Coder has tokens such as `\u00fc` for characters that also are symbols of single bytes.

    They are added tokens, and decoding cannot tell them from bytes, in transformers neither.
    """
    types = metadata(name).values["tokenizer.ggml.token_type"]
    tokens = metadata(name).values["tokenizer.ggml.tokens"]
    added = zip(tokens, types, strict=True)
    symbols = {token for token, kind in added if kind == 4 and len(token) == 1 and 127 < ord(token) < 512}
    assert bool(symbols) == (name == "deepseek-coder")
    compared = [text for text in texts() if symbols.isdisjoint(text)]
    assert len(compared) > 1400
    for text in compared:
        assert tokenizer(name).decode(ids_of(name, text), skip_special_tokens=False) == text


ORACLES: dict[str, Any] = {
    "command-r": CohereTokenizer,
    "gpt-2": GPT2Tokenizer,
    "qwen2": Qwen2Tokenizer,
    "qwen35": Qwen3_5Tokenizer,
}


@pytest.mark.parametrize("name", ORACLES)
def test_byte_level_ids_are_those_of_transformers(name: str) -> None:
    values = metadata(name).values
    vocabulary = {token: i for i, token in enumerate(values["tokenizer.ggml.tokens"])}
    merges = [tuple(merge.split(" ")) for merge in values["tokenizer.ggml.merges"]]
    oracle = ORACLES[name](vocab=vocabulary, merges=merges)
    assert len(texts()) > 1900
    for text in texts():
        assert ids_of(name, text) == oracle.encode(text, add_special_tokens=False), text


def greedy(text: str, pieces: dict[str, int], scores: list[float]) -> list[int]:
    """Return ids as SentencePiece finds them: join the neighbours of the highest score, leftmost first."""
    symbols = list(("\u2581" + text).replace(" ", "\u2581")) if text else []
    while True:
        joined = [left + right for left, right in pairwise(symbols)]
        best = max(
            (place for place, piece in enumerate(joined) if piece in pieces),
            key=lambda place: (scores[pieces[joined[place]]], -place),
            default=None,
        )
        if best is None:
            break
        symbols[best : best + 2] = [joined[best]]
    ids = []
    for symbol in symbols:
        ids += [pieces[symbol]] if symbol in pieces else [pieces[f"<0x{b:02X}>"] for b in symbol.encode()]
    return ids


@pytest.mark.parametrize("name", ["llama-spm", "phi-3"])
def test_sentencepiece_ids_are_those_of_its_algorithm(name: str) -> None:
    values = metadata(name).values
    pieces = {token: i for i, token in enumerate(values["tokenizer.ggml.tokens"])}
    short = [text[:120] for text in texts()]
    runs = [character * length for character in " -=aa01\n" for length in range(1, 70)]
    for text in short + runs:
        assert ids_of(name, text) == greedy(text, pieces, values["tokenizer.ggml.scores"]), text


def test_sentencepiece_ids_are_those_of_transformers() -> None:
    """A text that begins with a space is different: transformers adds no second space."""
    values = metadata("llama-spm").values
    vocabulary = {token: i for i, token in enumerate(values["tokenizer.ggml.tokens"])}
    oracle = LlamaTokenizer(vocab=vocabulary, merges=merges_of("llama-spm"))
    compared = [text for text in texts() if not text.startswith(" ")]
    assert len(compared) > 1800
    for text in compared:
        assert ids_of("llama-spm", text) == oracle.encode(text, add_special_tokens=False), text


STRIPPING = ["<|assistant|>", "<|system|>", "<|end|>", "<|user|>", "</s>"]
"""Tokens of Phi-3 that have rstrip in its tokenizer_config.json, among those of its template."""

PHI3_TEXTS = [
    "<|user|>\nHow to explain Internet?<|end|>\n<|assistant|>\n",
    "<|system|>\n You are helpful. <|end|>\n<|user|> \n\t a  b<|end|> \u00a0<|assistant|>  ",
    "<s>a</s> \n b<|endoftext|>\nc",
]


def test_tokens_of_phi3_take_the_space_after_them() -> None:
    values = metadata("phi-3").values
    vocabulary = {token: i for i, token in enumerate(values["tokenizer.ggml.tokens"])}
    oracle = LlamaTokenizer(vocab=vocabulary, merges=merges_of("phi-3"), legacy=True)
    others = ["<s>", "<|endoftext|>"]
    oracle.add_tokens(
        [AddedToken(token, rstrip=True, normalized=False) for token in STRIPPING]
        + [AddedToken(token, normalized=False) for token in others]
    )
    for text in PHI3_TEXTS:
        assert ids_of("phi-3", text) == oracle.encode(text, add_special_tokens=False), text
    # <|user|>, How to explain Internet?, <|end|>, <|assistant|>, as the page of the model states
    assert ids_of("phi-3", PHI3_TEXTS[0])[-3:] == [29973, 32007, 32001]


def merges_of(name: str) -> list[tuple[str, str]]:
    """Return merges as transformers generates them: by score, then by the ids of both pieces."""
    values = metadata(name).values
    tokens, scores = values["tokenizer.ggml.tokens"], values["tokenizer.ggml.scores"]
    ids = {token: i for i, token in enumerate(tokens)}
    triples = [
        (scores[i], piece[:cut], piece[cut:])
        for i, piece in enumerate(tokens)
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    triples.sort(key=lambda triple: (-triple[0], ids[triple[1]], ids[triple[2]]))
    return [(left, right) for _, left, right in triples]


@pytest.mark.parametrize(
    ("name", "bos"), [("llama-bpe", 128000), ("llama-spm", 1), ("qwen2", None), ("deepseek-llm", 100000)]
)
def test_bos_token_is_what_the_file_states(name: str, bos: int | None) -> None:
    assert files(name).bos_token_id == bos
    assert tokenizer(name).encode("a").ids[:-1] == ([] if bos is None else [bos])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-neox", r"tokenizer\.ggml\.pre is missing, .* --tokenizer FILE, .* --no-tokenizer"),
        ("bert-bge", r"tokenizer\.ggml\.model is 'bert'; supported are .* --tokenizer FILE"),
    ],
)
def test_other_vocabularies_are_refused(name: str, message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        files(name)
