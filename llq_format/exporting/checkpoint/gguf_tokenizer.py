"""The tokenizer of a GGUF file, rebuilt as a Hugging Face tokenizer.json.

GGUF stores the tokens, their types and, of byte-level BPE, the merges. It stores only the name of the
pre-tokenizer, which splits a text into words; `pre_tokenizers` defines the meaning of each name.
"""

from dataclasses import replace

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.processors import TemplateProcessing

from llq_format.exporting.checkpoint import gguf_sentencepiece
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.pre_tokenizers import PRE_TOKENIZERS, WAYS_OUT, PreTokenizer
from llq_format.metadata.tokenizer import TokenizerFiles

CONTROL, USER_DEFINED = 3, 4
"""Token types: control tokens, and plain text that is never split."""

_TEMPLATE_NAMES = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding", "unk_token": "unknown"}
"""Special tokens that chat templates may use, and their names in the keys."""

_WITHOUT_STRIPPING = frozenset({"<unk>", "<s>", "<|endoftext|>"})
"""Added tokens of Phi-3 that do not take the white space after them."""

BYTE_LEVEL, SENTENCEPIECE = "gpt2", "llama"
"""Values of `tokenizer.ggml.model`: byte-level BPE, and SentencePiece with BPE."""


def read(metadata: Keys, vocab_size: int) -> TokenizerFiles:
    """Return the tokenizer; raises CheckpointError for one that cannot be rebuilt exactly."""
    kind = metadata.string("tokenizer.ggml.model")
    if kind not in (BYTE_LEVEL, SENTENCEPIECE):
        raise metadata.error(
            "tokenizer.ggml.model",
            f"is {kind!r}; supported are {BYTE_LEVEL!r} and {SENTENCEPIECE!r}: {WAYS_OUT}",
        )
    described = settings(metadata, vocab_size)
    tokens = metadata.array("tokenizer.ggml.tokens", str)
    if len(set(tokens)) < len(tokens):
        raise metadata.error("tokenizer.ggml.tokens", "has a token twice")
    if kind == SENTENCEPIECE:
        tokenizer = gguf_sentencepiece.rebuild(metadata, tokens)
    else:
        tokenizer = _byte_level(metadata, tokens)
    tokenizer.add_tokens(_added_tokens(metadata, tokens))
    bos = described.bos_token_id
    if bos is not None:
        name = tokens[bos]
        tokenizer.post_processor = TemplateProcessing(
            single=[name, "$A"],
            pair=[name, "$A", name, "$B"],
            special_tokens=[(name, bos)],
        )
    return replace(described, tokenizer_json=tokenizer.to_str().encode())


def settings(metadata: Keys, vocab_size: int) -> TokenizerFiles:
    """Return the ids and the template that the keys state, without a tokenizer.json."""
    tokens = metadata.array("tokenizer.ggml.tokens", str)
    if len(tokens) > vocab_size:
        raise metadata.error(
            "tokenizer.ggml.tokens", f"has {len(tokens)} tokens, but the embedding has {vocab_size} rows"
        )
    bos = _token_id(metadata, "bos", tokens) if _wants_bos(metadata) else None
    ends = (_token_id(metadata, name, tokens) for name in ("eos", "eot", "eom"))
    template = metadata.get("tokenizer.chat_template")
    return TokenizerFiles(
        b"",
        bos,
        list(dict.fromkeys(token for token in ends if token is not None)),
        None if template is None else metadata.string("tokenizer.chat_template"),
        _special_tokens(metadata, tokens),
    )


def _special_tokens(metadata: Keys, tokens: list[str]) -> dict[str, str]:
    """Return the texts of special tokens by the names that chat templates use."""
    ids = {name: _token_id(metadata, key, tokens) for name, key in _TEMPLATE_NAMES.items()}
    return {name: tokens[i] for name, i in ids.items() if i is not None}


def _byte_level(metadata: Keys, tokens: list[str]) -> Tokenizer:
    pre_tokenizer = _pre_tokenizer(metadata)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    merges = _merges(metadata, vocabulary)
    tokenizer = Tokenizer(BPE(vocabulary, merges, ignore_merges=pre_tokenizer.whole_words))
    if pre_tokenizer.nfc:
        tokenizer.normalizer = NFC()
    tokenizer.pre_tokenizer = Sequence(
        [
            *(Split(Regex(words), "isolated") for words in pre_tokenizer.splits),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def _pre_tokenizer(metadata: Keys) -> PreTokenizer:
    key = "tokenizer.ggml.pre"
    if metadata.get(key) is None:
        raise metadata.error(key, f"is missing, so how the tokenizer splits a text is unknown: {WAYS_OUT}")
    name = metadata.string(key)
    if name not in PRE_TOKENIZERS:
        raise metadata.error(
            key, f"is {name!r}, a pre-tokenizer that is unknown to this exporter: {WAYS_OUT}"
        )
    return PRE_TOKENIZERS[name]


def _merges(metadata: Keys, vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Return the pairs in order of rank; a space, which no byte-level token has, separates the two tokens."""
    merges = []
    for rank, merge in enumerate(metadata.array("tokenizer.ggml.merges", str)):
        left, _, right = merge.partition(" ")
        if not {left, right, left + right} <= vocabulary.keys():
            raise metadata.error(
                "tokenizer.ggml.merges", f"has a merge of unknown tokens at rank {rank}: {merge!r}"
            )
        merges.append((left, right))
    return merges


def _added_tokens(metadata: Keys, tokens: list[str]) -> list[AddedToken]:
    """Return the tokens that are matched in a text before it is split into words.

    GGUF does not state which tokens take the white space after them. As in llama.cpp, the name of the model
    decides: those of Phi-3 do.
    """
    types = metadata.array("tokenizer.ggml.token_type", int)
    if len(types) != len(tokens):
        raise metadata.error("tokenizer.ggml.token_type", f"has {len(types)} types for {len(tokens)} tokens")
    name = metadata.string("general.name", "").lower()
    strips = "phi-3" in name or "phi3" in name
    return [
        AddedToken(
            token,
            special=kind == CONTROL,
            normalized=False,
            rstrip=strips and token not in _WITHOUT_STRIPPING,
        )
        for token, kind in zip(tokens, types, strict=True)
        if kind in {CONTROL, USER_DEFINED}
    ]


def _wants_bos(metadata: Keys) -> bool:
    """Return whether a text begins with the BOS token; without the key, the kind of tokenizer decides."""
    pre_tokenizer = PRE_TOKENIZERS.get(metadata.string("tokenizer.ggml.pre", ""))
    custom = metadata.get("tokenizer.ggml.model") == SENTENCEPIECE or (
        pre_tokenizer is not None and pre_tokenizer.adds_bos
    )
    return metadata.boolean("tokenizer.ggml.add_bos_token", default=custom)


def _token_id(metadata: Keys, name: str, tokens: list[str]) -> int | None:
    key = f"tokenizer.ggml.{name}_token_id"
    return None if metadata.get(key) is None else metadata.integer(key, 0, len(tokens) - 1)
