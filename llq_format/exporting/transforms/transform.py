"""The interface of transforms, and a model that several transforms change."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.model import FFN, Model, TensorRole, tensor_roles

Array = NDArray[np.float64]
Tensors = dict[str, Array]
"""Tensors by name, without `layers.N.` for a layer; float64, so that changes lose no accuracy."""


class Transform(Protocol):
    """A change of the weights that keeps the function; arrays may be changed in place."""

    unties: bool
    """Whether the head differs from the embedding afterwards."""

    def layer(self, model: Model, number: int, tensors: Tensors) -> None:
        """Change the tensors of layer `number`."""

    def ends(self, model: Model, tensors: Tensors) -> None:
        """Change those of `embedding`, `norm` and `lm_head` that are present; `norm` comes with the head."""


def matrices_of(ffn: FFN) -> list[str]:
    """Return the prefixes of an FFN's dense networks: `ffn`, or the experts' and the shared one's."""
    if ffn.moe is None:
        return ["ffn"]
    return [f"ffn.experts.{expert}" for expert in range(ffn.moe.num_experts)] + ["ffn.shared"]


def inputs_of(ffn: FFN) -> list[str]:
    """Return the tensors of an FFN that multiply the normed residual, including the router."""
    first = "gate_up" if ffn.gated else "up"
    names = [f"{prefix}.{first}" for prefix in matrices_of(ffn)]
    return names if ffn.moe is None else ["ffn.router", *names]


def outputs_of(ffn: FFN) -> list[str]:
    """Return the tensors of an FFN whose result is added to the residual."""
    return [f"{prefix}.down" for prefix in matrices_of(ffn)]


class TransformedModel:
    """A model whose weights are loaded one layer at a time, and changed."""

    def __init__(
        self, model: Model, load: Callable[[str], NDArray[np.floating]], transforms: Sequence[Transform]
    ) -> None:
        """Store `load`, which returns the original tensor of an LLQ name, and the transforms in order."""
        self._source, self._load, self._transforms = model, load, tuple(transforms)
        untied = any(transform.unties for transform in transforms)
        self.model = replace(model, tied_embeddings=model.tied_embeddings and not untied)

    @property
    def untied(self) -> bool:
        """Whether the transforms gave a model with tied embeddings a separate head."""
        return self._source.tied_embeddings and not self.model.tied_embeddings

    def layer(self, number: int) -> Tensors:
        """Return the tensors of a layer, changed."""
        prefix = f"layers.{number}."
        names = [role.name for role in layer_roles(self.model, number)]
        tensors = {name.removeprefix(prefix): self._load(name).astype(np.float64) for name in names}
        for transform in self._transforms:
            transform.layer(self.model, number, tensors)
        return tensors

    def embedding(self) -> Array:
        """Return the embedding, changed, [vocab_size, hidden_size]."""
        tensors = {"embedding": self._load("embedding").astype(np.float64)}
        for transform in self._transforms:
            transform.ends(self.model, tensors)
        return tensors["embedding"]

    def head(self) -> tuple[Array, Array]:
        """Return the final norm [hidden_size] and the head [vocab_size, hidden_size], changed.

        The head of a model with tied embeddings is the embedding.
        """
        tensors = {"norm": self._load("norm").astype(np.float64)}
        if self.model.tied_embeddings:
            for transform in self._transforms:
                transform.ends(self.model, tensors)
            return tensors["norm"], self.embedding()
        source = "embedding" if self._source.tied_embeddings else "lm_head"
        tensors["lm_head"] = self._load(source).astype(np.float64)
        for transform in self._transforms:
            transform.ends(self.model, tensors)
        return tensors["norm"], tensors["lm_head"]


def layer_roles(model: Model, number: int) -> list[TensorRole]:
    """Return the tensors that layer `number` requires, in canonical order."""
    prefix = f"layers.{number}."
    return [role for role in tensor_roles(model) if role.name.startswith(prefix)]
