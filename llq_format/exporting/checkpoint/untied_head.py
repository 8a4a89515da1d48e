"""Heads of models that claim to be tied: a different head in the files is kept, as transformers 5 does."""

import hashlib
from dataclasses import replace

import numpy as np

from llq_format.exporting.checkpoint.checkpoint import Architecture, Piece, TensorSource, check_piece
from llq_format.exporting.checkpoint.warnings import ExportWarning, warning

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"


def with_own_head(
    architecture: Architecture, source: TensorSource
) -> tuple[Architecture, tuple[ExportWarning, ...]]:
    """Return the architecture with the head of the files, and a warning, if it differs from the embedding.

    Raises CheckpointError for a head of another shape or type.
    """
    (embedding,) = architecture.pieces["embedding"]
    name = embedding.name.removesuffix(_EMBEDDING) + _HEAD
    if not architecture.model["tied_embeddings"] or name not in source.tensors:
        return architecture, ()
    head = replace(embedding, name=name)
    check_piece(embedding, source)
    check_piece(head, source)
    if _digest(head, source) == _digest(embedding, source):
        return architecture, ()
    untied = replace(
        architecture,
        model={**architecture.model, "tied_embeddings": False},
        pieces={**architecture.pieces, "lm_head": (head,)},
    )
    return untied, (warning("head-differs", tensor=name),)


def _digest(piece: Piece, source: TensorSource) -> bytes:
    """Return a hash of the values, with one tensor in memory at a time."""
    values = np.empty(piece.shape, np.float32)
    source.read(piece, values)
    return hashlib.sha256(values.data).digest()
