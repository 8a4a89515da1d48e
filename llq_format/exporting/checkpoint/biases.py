"""Biases for which LLQ has no rule: a checkpoint may hold such biases if their values are all zero."""

import re
from collections.abc import Mapping

import numpy as np

from llq_format.exporting.checkpoint.checkpoint import CheckpointError, Piece, TensorSource, check_piece
from llq_format.exporting.checkpoint.keys import Keys

_FLAGS = ("attention_bias", "mlp_bias", "use_bias")
_LONGEST = 2**22
"""Maximum number of elements of a bias that is read, which bounds memory."""


def check(config: Keys, source: TensorSource, ignored: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return regular expressions of the biases in `source`, which are zero; raises CheckpointError.

    ignored: regular expressions of tensors that the model has, or that belong to other models.
    """
    names = zero_biases(source, ignored)
    for flag in _FLAGS:
        if config.boolean(flag, default=False) and not names:
            raise config.error(flag, "is true, but the files have no biases: is the download complete?")
    return names


def zero_biases(source: TensorSource, ignored: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return regular expressions of the biases in `source`; raises CheckpointError for one that is not 0."""
    names = [
        name
        for name, stored in source.tensors.items()
        if name.endswith(".bias")
        and len(stored.shape) == 1
        and not any(re.fullmatch(pattern, name) for pattern in ignored)
    ]
    for name in names:
        stored = source.tensors[name]
        if stored.shape[0] > _LONGEST:
            raise CheckpointError(f"{stored.file}: tensor {name} has {stored.shape[0]} elements")
        piece = Piece(name, stored.shape)
        check_piece(piece, source)
        values = np.empty(stored.shape, np.float32)
        source.read(piece, values)
        if values.any():
            raise CheckpointError(
                f"{stored.file}: tensor {name} has values other than 0, but LLQ has no rule for it"
            )
    return tuple(map(re.escape, names))


def patterns(names: Mapping[str, str]) -> tuple[str, ...]:
    """Return regular expressions of the biases among the names of roles, `{}` for the layer."""
    biases = (template for role, template in names.items() if role.endswith("_bias"))
    return tuple(re.escape(template).replace(r"\{\}", r"\d+") for template in biases)
