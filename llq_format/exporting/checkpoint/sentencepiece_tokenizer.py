"""A SentencePiece model (tokenizer.model) as a Hugging Face tokenizer.

SentencePiece joins the two neighbours whose joined piece has the highest score, first from the left; BPE of
the tokenizers library joins by the rank of a pair. Every pair of normal pieces that joins to a normal piece
is therefore a merge, and the ranks are in the order of scores.
"""

import re
from collections.abc import Iterator

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteFallback, Fuse, Strip
from tokenizers.decoders import Replace as ReplaceText
from tokenizers.decoders import Sequence as Decoders
from tokenizers.models import BPE, Unigram
from tokenizers.normalizers import Normalizer, Precompiled, Replace
from tokenizers.normalizers import Prepend as PrependText
from tokenizers.normalizers import Sequence as Normalizers
from tokenizers.pre_tokenizers import Metaspace, PreTokenizer, Split
from tokenizers.pre_tokenizers import Sequence as PreTokenizers

from llq_format.exporting.checkpoint.sentencepiece_file import (
    CONTROL,
    NORMAL,
    UNKNOWN,
    USER_DEFINED,
    SentencePieceModel,
)

_SPACE = "\u2581"
_OUTER_SPACES = r"(?<![\s\S]) +| +(?![\s\S])"
"""Spaces at both ends of a text, in the syntax that Oniguruma and ECMAScript share."""


def converted(model: SentencePieceModel, *, legacy: bool) -> Tokenizer:
    """Return the tokenizer; the texts of control pieces are special tokens.

    legacy: whether a space precedes the text after each added token too, and not only the first.
    """
    tokenizer = Tokenizer(_bpe(model) if model.kind == "bpe" else _unigram(model))
    tokenizer.normalizer = Normalizers(list(_normalizers(model, legacy=legacy)))
    steps = list(_pre_tokenizers(model, legacy=legacy))
    if steps:
        tokenizer.pre_tokenizer = PreTokenizers(steps)
    decoders = [ReplaceText(_SPACE, " "), ByteFallback(), Fuse()]
    tokenizer.decoder = Decoders([*decoders, Strip(" ", 1, 0)] if model.add_dummy_prefix else decoders)
    tokenizer.add_special_tokens(
        [
            AddedToken(piece.text, special=True, normalized=False)
            for piece in model.pieces
            if piece.kind in {CONTROL, UNKNOWN}
        ]
    )
    return tokenizer


def _bpe(model: SentencePieceModel) -> BPE:
    return BPE(
        {piece.text: i for i, piece in enumerate(model.pieces)},
        _merges(model),
        unk_token=model.pieces[model.unknown_id].text,
        fuse_unk=True,
        byte_fallback=model.byte_fallback,
        ignore_merges=bool(_user_defined(model)),
    )


def _unigram(model: SentencePieceModel) -> Unigram:
    pieces = [(piece.text, piece.score) for piece in model.pieces]
    return Unigram(pieces, model.unknown_id, byte_fallback=model.byte_fallback)


def _merges(model: SentencePieceModel) -> list[tuple[str, str]]:
    """Return the pairs in order of rank."""
    normal = {piece.text: i for i, piece in enumerate(model.pieces) if piece.kind == NORMAL}
    ranked = sorted(normal.items(), key=lambda item: (-model.pieces[item[1]].score, item[1]))
    return [
        (text[:cut], text[cut:])
        for text, _ in ranked
        for cut in range(1, len(text))
        if text[:cut] in normal and text[cut:] in normal
    ]


def _normalizers(model: SentencePieceModel, *, legacy: bool) -> Iterator[Normalizer]:
    if model.charsmap:
        yield Precompiled(model.charsmap)
    if model.remove_extra_whitespaces:
        yield Replace(Regex(_OUTER_SPACES), "")
        yield Replace(Regex(" {2,}"), " ")
    if model.add_dummy_prefix and legacy:
        yield PrependText(_SPACE)
    if model.escape_whitespaces:
        yield Replace(" ", _SPACE)


def _pre_tokenizers(model: SentencePieceModel, *, legacy: bool) -> Iterator[PreTokenizer]:
    if model.add_dummy_prefix and not legacy:
        yield Metaspace(_SPACE, prepend_scheme="first", split=False)
    if words := _user_defined(model):
        pattern = "|".join(map(re.escape, sorted(words, key=lambda word: (-len(word), word))))
        yield Split(Regex(pattern), "isolated")


def _user_defined(model: SentencePieceModel) -> list[str]:
    return [piece.text for piece in model.pieces if piece.kind == USER_DEFINED]
