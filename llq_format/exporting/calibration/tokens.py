"""The calibration text as token ids.

`builtin.txt` (135 kB) mixes texts in the public domain with texts that were written for this project, in
pieces of a few thousand characters. In the public domain: chapters of Jane Austen's Pride and Prejudice
(1813), Emma (1815), Northanger Abbey and Persuasion (both 1817); lines of John Milton's Paradise Lost (1667);
scenes of William Shakespeare's As You Like It (1623). This project's own: tales, dialogues, questions and
answers, instructions, reports, lessons, lists, tables, programs and a few lines of other languages, and
excerpts of its specification and its code. It is never used for evaluation.
"""

import hashlib
import io
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.reference.text import token_ids

BUILTIN = "builtin"
SEQUENCE = 512
"""Tokens per sequence: long enough for realistic attention, short enough for its quadratic cost."""

MOST_TOKENS = 24576
_FEWEST_TOKENS = 32


@dataclass(frozen=True)
class Calibration:
    """Token ids, int64 [sequences, tokens], and their source."""

    tokens: NDArray[np.int64]
    source: str
    sha256: str

    def to_json(self) -> dict[str, str | int]:
        """Return its description for the metadata."""
        return {"calibration": self.source, "calibration_sha256": self.sha256, "tokens": self.tokens.size}


def calibration(
    text_source: str | Path,
    tokenizer: TokenizerFiles | None,
    vocab_size: int,
    context_length: int,
    most_tokens: int = MOST_TOKENS,
) -> Calibration:
    """Return the token ids of a text, in sequences of at most 512.

    text_source: `builtin`, a file of UTF-8 text, or an .npy file of token ids, one-dimensional integers.
    tokenizer: the checkpoint's, needed for text. At most the first `most_tokens` tokens are used.
    Raises ValueError for a text that is too short, ids outside the vocabulary, or text without a tokenizer.
    """
    path = None if text_source == BUILTIN else Path(text_source)
    data = (
        resources.files(__package__).joinpath("builtin.txt").read_bytes()
        if path is None
        else path.read_bytes()
    )
    if path is not None and path.suffix == ".npy":
        ids = _ids_of(path, data, vocab_size)
    elif tokenizer is None:
        raise ValueError(
            "a text requires a tokenizer, which this checkpoint lacks: use token ids in an .npy file"
        )
    else:
        text = _text_of(data, text_source)
        ids = np.asarray(token_ids(tokenizer.tokenizer_json, text), np.int64)
        if ids.size and ids.max() >= vocab_size:
            raise ValueError(
                f"the tokenizer gives token id {ids.max()} for {text_source}, but the embedding has "
                f"{vocab_size} rows: use token ids in an .npy file, or another tokenizer"
            )
    if len(ids) < _FEWEST_TOKENS:
        raise ValueError(f"{text_source}: {len(ids)} tokens; expected at least {_FEWEST_TOKENS}")
    bos = None if tokenizer is None else tokenizer.bos_token_id
    return Calibration(
        sequences(ids[:most_tokens], min(SEQUENCE, context_length), bos),
        BUILTIN if path is None else path.name,
        hashlib.sha256(data).hexdigest(),
    )


def sequences(ids: NDArray[np.int64], length: int, bos: int | None) -> NDArray[np.int64]:
    """Cut ids into sequences of equal length that begin with `bos`, if there is one; drop the remainder."""
    step = length if bos is None else length - 1
    count = max(1, len(ids) // step)
    step = min(step, len(ids))
    rows = ids[: count * step].reshape(count, step)
    return rows if bos is None else np.concatenate([np.full((count, 1), bos), rows], axis=1)


def _text_of(data: bytes, text_source: str | Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{text_source}: byte {error.start} is not UTF-8: use text in UTF-8, or token ids in an .npy file"
        ) from error


def _ids_of(path: Path, data: bytes, vocab_size: int) -> NDArray[np.int64]:
    try:
        ids = np.load(io.BytesIO(data), allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{path} is not an .npy file of token ids (rename a text file)") from error
    if ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise ValueError(
            f"{path}: contains {ids.dtype} {list(ids.shape)}; expected one dimension of integers"
        )
    if ids.size and (ids.min() < 0 or ids.max() >= vocab_size):
        raise ValueError(f"{path}: token ids must be 0 to {vocab_size - 1}, not {ids.min()} to {ids.max()}")
    return np.asarray(ids, np.int64)
