"""SentencePiece vocabularies of GGUF files (`tokenizer.ggml.model` llama), rebuilt as BPE with merges.

SentencePiece joins the two neighbours whose joined piece has the highest score, first from the left. BPE of
the tokenizers library joins by the rank of a pair. Thus every pair of pieces that joins to a piece is a
merge, and the ranks are in the order of scores. Pairs that join to the same piece are in the order of their
ids, as transformers has them.

A space is U+2581 in pieces. A character that is not a piece becomes its bytes in UTF-8, as pieces `<0x00>`
to `<0xFF>`.
"""

from collections.abc import Iterator

from tokenizers import Tokenizer
from tokenizers.decoders import ByteFallback, Fuse, Strip
from tokenizers.decoders import Replace as ReplaceDecoder
from tokenizers.decoders import Sequence as DecoderSequence
from tokenizers.models import BPE
from tokenizers.normalizers import Prepend, Replace, Sequence

from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.pre_tokenizers import WAYS_OUT

_SPACE = "\u2581"


def rebuild(metadata: Keys, tokens: list[str]) -> Tokenizer:
    """Return the tokenizer without its added tokens; raises CheckpointError."""
    vocabulary = {token: i for i, token in enumerate(tokens)}
    missing = [piece for piece in map("<0x{:02X}>".format, range(256)) if piece not in vocabulary]
    if missing:
        raise metadata.error(
            "tokenizer.ggml.tokens",
            f"has no piece {missing[0]!r}, so some texts have no ids: {WAYS_OUT}",
        )
    unknown = metadata.integer("tokenizer.ggml.unknown_token_id", 0, len(tokens) - 1, 0)
    model = BPE(
        vocabulary,
        _merges(metadata, tokens, vocabulary),
        unk_token=tokens[unknown],
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    prefixed = metadata.boolean("tokenizer.ggml.add_space_prefix", default=True)
    spaces = Replace(" ", _SPACE)
    tokenizer.normalizer = Sequence([Prepend(_SPACE), spaces] if prefixed else [spaces])
    steps = [ReplaceDecoder(_SPACE, " "), ByteFallback(), Fuse()]
    tokenizer.decoder = DecoderSequence([*steps, Strip(" ", 1, 0)] if prefixed else steps)
    return tokenizer


def _merges(metadata: Keys, tokens: list[str], vocabulary: dict[str, int]) -> list[tuple[str, str]]:
    """Return the pairs in order of rank."""
    if metadata.get("tokenizer.ggml.scores") is None:
        raise metadata.error(
            "tokenizer.ggml.scores", f"is missing, so the order of merges is unknown: {WAYS_OUT}"
        )
    scores = metadata.array("tokenizer.ggml.scores", float)
    if len(scores) != len(tokens):
        raise metadata.error("tokenizer.ggml.scores", f"has {len(scores)} scores for {len(tokens)} tokens")
    ranked = sorted(range(len(tokens)), key=lambda i: (-scores[i], i))
    return [
        pair
        for i in ranked
        for pair in sorted(_pairs(tokens[i], vocabulary), key=lambda pair: _ids(pair, vocabulary))
    ]


def _pairs(piece: str, vocabulary: dict[str, int]) -> Iterator[tuple[str, str]]:
    for cut in range(1, len(piece)):
        left, right = piece[:cut], piece[cut:]
        if left in vocabulary and right in vocabulary:
            yield left, right


def _ids(pair: tuple[str, str], vocabulary: dict[str, int]) -> tuple[int, int]:
    return vocabulary[pair[0]], vocabulary[pair[1]]
