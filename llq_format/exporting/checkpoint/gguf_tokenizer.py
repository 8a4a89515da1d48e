"""The tokenizer of a GGUF file, rebuilt as a Hugging Face tokenizer.json.

GGUF stores the tokens, their types and the merges of byte-level BPE, but only the name of the pre-tokenizer,
which splits a text into words. This module defines the meaning of each name.
"""

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, PreTokenizer, Sequence, Split
from tokenizers.processors import TemplateProcessing

from llq_format.exporting.checkpoint.keys import Keys
from llq_format.metadata.tokenizer import TokenizerFiles

CONTROL, USER_DEFINED = 3, 4
"""Token types: control tokens, and plain text that is never split."""

_GPT2_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"
_LLAMA3_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3_NAMES = frozenset({"llama-bpe", "llama3", "llama-v3"})


def _pre_tokenizers() -> dict[str, list[PreTokenizer]]:
    """Return the steps that each value of `tokenizer.ggml.pre` denotes."""
    bytes_only = ByteLevel(add_prefix_space=False, use_regex=False)
    gpt2 = ByteLevel(add_prefix_space=False, use_regex=True)
    return {
        "default": [
            *(
                Split(Regex(words), "isolated")
                for words in (r"[\p{P}\$\+<=>\^~\|]+", _GPT2_WORDS, r"\p{N}+", r"[0-9][0-9][0-9]")
            ),
            bytes_only,
        ],
        "gpt-2": [gpt2],
        "smollm": [Digits(individual_digits=True), gpt2],
        **{name: [Split(Regex(_LLAMA3_WORDS), "isolated"), bytes_only] for name in _LLAMA3_NAMES},
    }


def read(metadata: Keys, vocab_size: int) -> TokenizerFiles:
    """Return the tokenizer; raises CheckpointError for one that cannot be rebuilt exactly."""
    kind = metadata.string("tokenizer.ggml.model")
    if kind != "gpt2":
        raise metadata.error(
            "tokenizer.ggml.model",
            f"is {kind!r}, but only byte-level BPE ('gpt2') can be rebuilt from GGUF: "
            "export the original checkpoint with its tokenizer.json, or export without tokenizer",
        )
    tokens = metadata.array("tokenizer.ggml.tokens", str)
    if len(tokens) > vocab_size:
        raise metadata.error(
            "tokenizer.ggml.tokens", f"has {len(tokens)} tokens, but the embedding has {vocab_size} rows"
        )
    bos = _token_id(metadata, "bos", tokens) if _wants_bos(metadata) else None
    ends = (_token_id(metadata, name, tokens) for name in ("eos", "eot", "eom"))
    template = metadata.get("tokenizer.chat_template")
    return TokenizerFiles(
        _rebuild(metadata, tokens, bos).to_str().encode(),
        bos,
        list(dict.fromkeys(token for token in ends if token is not None)),
        None if template is None else metadata.string("tokenizer.chat_template"),
    )


def _rebuild(metadata: Keys, tokens: list[str], bos: int | None) -> Tokenizer:
    pre = metadata.string("tokenizer.ggml.pre")
    steps = _pre_tokenizers().get(pre)
    if steps is None:
        raise metadata.error(
            "tokenizer.ggml.pre",
            f"is {pre!r}; supported are {', '.join(map(repr, sorted(_pre_tokenizers())))}: "
            "export the original checkpoint with its tokenizer.json, or export without tokenizer",
        )
    vocabulary = {token: i for i, token in enumerate(tokens)}
    if len(vocabulary) < len(tokens):
        raise metadata.error("tokenizer.ggml.tokens", "has a token twice")
    merges = _merges(metadata, vocabulary)
    tokenizer = Tokenizer(BPE(vocabulary, merges, ignore_merges=pre in _LLAMA3_NAMES))
    tokenizer.pre_tokenizer = Sequence(steps)
    tokenizer.decoder = ByteLevelDecoder()
    tokenizer.add_tokens(_added_tokens(metadata, tokens))
    if bos is not None:
        name = tokens[bos]
        tokenizer.post_processor = TemplateProcessing(
            single=[name, "$A"],
            pair=[name, "$A", name, "$B"],
            special_tokens=[(name, bos)],
        )
    return tokenizer


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
    """Return the tokens that are matched in a text before it is split into words."""
    types = metadata.array("tokenizer.ggml.token_type", int)
    if len(types) != len(tokens):
        raise metadata.error("tokenizer.ggml.token_type", f"has {len(types)} types for {len(tokens)} tokens")
    return [
        AddedToken(token, special=kind == CONTROL, normalized=False)
        for token, kind in zip(tokens, types, strict=True)
        if kind in {CONTROL, USER_DEFINED}
    ]


def _wants_bos(metadata: Keys) -> bool:
    """Return whether a text begins with the BOS token; without the key, the pre-tokenizer decides."""
    custom = metadata.string("tokenizer.ggml.pre", "") in _LLAMA3_NAMES
    return metadata.boolean("tokenizer.ggml.add_bos_token", default=custom)


def _token_id(metadata: Keys, name: str, tokens: list[str]) -> int | None:
    key = f"tokenizer.ggml.{name}_token_id"
    return None if metadata.get(key) is None else metadata.integer(key, 0, len(tokens) - 1)
