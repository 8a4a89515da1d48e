"""The decoder, one operation at a time, on the values that a runtime returned.

Each operation takes its inputs from the trace; what the trace does not contain is computed, as balls that
contain every legal result. So an error of one operation is not blamed on a later operation.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..container.decoding import Reading
from ..container.package import metadata, read_tensor
from . import attention, elementwise, rounding
from .ball import Ball, Reals, total
from .matmul import Matrix, RoutedMatrix
from .operation import Operation

Trace = Mapping[str, NDArray[np.floating]]
"""Tensors by name; conformance/TRACE.md lists the names."""

ROWS, HEADS, WEIGHTS = ("position", "element"), ("position", "head", "element"), ("position", "head", "key")

RULES = {
    "embedding": ("LLQ-DEC-1",),
    "norm": ("LLQ-DEC-3", "LLQ-NUM-5", "LLQ-DEC-2"),
    "binary16": ("LLQ-ACT-1", "LLQ-ACT-12", "LLQ-ACT-10"),
    "int8": ("LLQ-ACT-2", "LLQ-ACT-3", "LLQ-ACT-4", "LLQ-ACT-5", "LLQ-ACT-10"),
    "scale": ("LLQ-ACT-6", "LLQ-ACT-2", "LLQ-ACT-3", "LLQ-ACT-4"),
    "matmul": ("LLQ-NUM-3", "LLQ-ACT-14", "LLQ-ACT-7", "LLQ-ACT-8"),
    "bias": ("LLQ-AFFINE-8", "LLQ-AFFINE-10", "LLQ-AFFINE-11"),
    "weighted_norm": ("LLQ-AFFINE-9", "LLQ-AFFINE-10", "LLQ-AFFINE-11"),
    "split": ("LLQ-DEC-4",),
    "biased_split": ("LLQ-AFFINE-8", "LLQ-DEC-4"),
    "rope": ("LLQ-DEC-5", "LLQ-DEC-6", "LLQ-DEC-17"),
    "normed_rope": ("LLQ-AFFINE-9", "LLQ-DEC-5", "LLQ-DEC-6"),
    "qk_norm": ("LLQ-DEC-7",),
    "temperature": ("LLQ-DEC-8",),
    "cache": ("LLQ-NUM-2", "LLQ-DEC-17"),
    "scores": ("LLQ-DEC-9", "LLQ-DEC-4", "LLQ-ACT-9"),
    "mask": ("LLQ-DEC-10", "LLQ-DEC-11"),
    "softmax": ("LLQ-DEC-11", "LLQ-DEC-10", "LLQ-ACT-9"),
    "heads": ("LLQ-DEC-11", "LLQ-DEC-4"),
    "residual": ("LLQ-DEC-2", "LLQ-ACT-9"),
    "router": ("LLQ-DEC-14", "LLQ-ACT-9"),
    "hidden": ("LLQ-DEC-12", "LLQ-DEC-13"),
    "mixture": ("LLQ-DEC-15", "LLQ-DEC-14"),
    "lm_head": ("LLQ-DEC-16", "LLQ-ACT-9"),
}
"""The rules of each kind of operation, the main rule first.

`biased_split` and `normed_rope` include the step of `LLQ_attention_affine` that the trace does not contain.
"""


class Weights:
    """The tensors of a package, decoded once."""

    def __init__(self, package: Path) -> None:
        """Begin with none."""
        self._package = package
        self._matrices: dict[str, Matrix] = {}
        index = metadata(package)
        self.model: dict[str, Any] = index["model"]
        self.names = frozenset(tensor["name"] for tensor in index["tensors"])

    def raw(self, name: str) -> Reals:
        """Return the values of a tensor."""
        return Reading()(read_tensor(self._package, name)).astype(np.float64)

    def matrix(self, name: str) -> Matrix:
        """Return a tensor as a matrix."""
        if name not in self._matrices:
            self._matrices[name] = Matrix(read_tensor(self._package, name))
        return self._matrices[name]


@lru_cache(4)
def weights_of(package: Path) -> Weights:
    """Return the weights of a package, which several traces need."""
    return Weights(package)


class Walk:
    """All operations of one sequence, in the order of evaluation."""

    def __init__(self, package: Path, tokens: Sequence[int], trace: Trace, kv_cache: str) -> None:
        """Compute every operation on the inputs that the trace contains."""
        self.operations: list[Operation] = []
        self.names: set[str] = set()
        self._weights = weights_of(package)
        self._model = self._weights.model
        self._trace = trace
        self._kv_cache = kv_cache
        self._positions = np.arange(len(tokens), dtype=np.float64)
        with np.errstate(all="ignore"):
            self._compute(tokens)

    def _compute(self, tokens: Sequence[int]) -> None:
        rows = self._weights.raw("embedding")[list(tokens)]
        x = self._take("embedding", "embedding", Ball.exact(rows))
        for number in range(len(self._model["layers"])):
            x = self._layer(number, x)
        x = self._norm("norm", x)
        head = "embedding" if self._model["tied_embeddings"] else "lm_head"
        a = self._take("lm_head.input", "binary16", rounding.binary16(x))
        self._take("lm_head", "lm_head", self._weights.matrix(head).times(a))

    def _take(
        self,
        name: str,
        kind: str,
        expected: Ball,
        axes: tuple[str, ...] = ROWS,
        compared: NDArray[np.bool_] | None = None,
    ) -> Ball:
        """Return the result with which later operations go on: what the runtime returned, if it did."""
        self.names.add(name)
        found = self._trace.get(name)
        if found is None:
            return expected
        mask = np.ones(expected.value.shape, bool) if compared is None else compared
        operation = Operation(name, RULES[kind], axes[: expected.value.ndim], expected, found, mask)
        self.operations.append(operation)
        return Ball.exact(found) if operation.of_right_shape else expected

    # The frame.

    def _layer(self, number: int, x: Ball) -> Ball:
        prefix, config = f"layers.{number}", self._model["layers"][number]
        y = self._attention(prefix, config["attention"], self._norm(f"{prefix}.attention_norm", x))
        h = self._take(f"{prefix}.attention.residual", "residual", total(x, y))
        normed = self._norm(f"{prefix}.ffn_norm", h)
        if config["ffn"]["moe"] is None:
            terms = [self._network(f"{prefix}.ffn", config["ffn"], normed)]
        else:
            terms = self._mixture(f"{prefix}.ffn", config["ffn"], normed)
        return self._take(f"{prefix}.ffn.residual", "residual", total(h, *terms))

    def _norm(self, name: str, x: Ball) -> Ball:
        expected = elementwise.norm(x, self._weights.raw(name), self._model["rms_norm_eps"])
        return self._take(name, "norm", expected)

    def _project(self, name: str, x: Ball, matrix: Matrix | RoutedMatrix) -> Ball:
        """Return a product of an INT4 matrix, after the rounding of its layer."""
        layer = int(name.split(".")[1])
        self.names.add(f"{name}.scale")  # of a runtime that takes INT8 where binary16 is due, too
        if layer < self._model["activations"]["fp16_layers"]:
            a = self._take(f"{name}.input", "binary16", rounding.binary16(x))
            return self._take(name, "matmul", matrix.times(a))
        codes, scales = rounding.int8(x)
        codes = self._take(f"{name}.input", "int8", codes)
        scales = self._take(f"{name}.scale", "scale", scales)
        return self._take(name, "matmul", matrix.times_codes(codes, scales))

    # Attention.

    def _attention(self, prefix: str, config: dict[str, Any], x: Ball) -> Ball:
        model, name = self._model, f"{prefix}.attention"
        heads, kv_heads = model["num_heads"], model["num_kv_heads"]
        qkv = self._project(f"{name}.qkv", x, self._weights.matrix(f"{name}.qkv"))
        if f"{name}.qkv_bias" in self._weights.names:
            expected = total(qkv, Ball.exact(self._weights.raw(f"{name}.qkv_bias")))
            qkv = self._take(f"{name}.biased", "bias", expected)
        split = qkv.reshape(len(self._positions), heads + 2 * kv_heads, model["head_dim"])
        parts = {"q": split[:, :heads], "k": split[:, heads : heads + kv_heads], "v": split[:, -kv_heads:]}
        split_kind = "biased_split" if self._lacks(f"{name}.qkv_bias", f"{name}.biased") else "split"
        q, k, v = (self._take(f"{name}.{part}", split_kind, ball, HEADS) for part, ball in parts.items())
        q, k = (self._weighted(name, part, x) for part, x in (("q", q), ("k", k)))
        q, k = (self._rotated(f"{name}.rope.{part}", config, x) for part, x in (("q", q), ("k", k)))
        q, k = (self._unit(f"{name}.qk_norm.{part}", config, x) for part, x in (("q", q), ("k", k)))
        if config["temperature"]:
            q = elementwise.temperature(q, self._positions, **config["temperature"])
        q = self._take(f"{name}.temperature.q", "temperature", q, HEADS)
        divided = attention.divided(q)  # a step of its own only where the trace contains its result
        scaled = self._take(f"{name}.scaled.q", "scores", attention.rounded(divided), HEADS)
        q = scaled if f"{name}.scaled.q" in self._trace else divided
        keys, values = (
            self._take(f"{name}.{part}", "cache", rounding.cached(x, self._kv_cache), HEADS)
            for part, x in (("keys", k), ("values", v))
        )
        outputs = self._attended(
            name, config, q, attention.by_head(keys, heads), attention.by_head(values, heads)
        )
        return self._project(f"{name}.output", outputs, self._weights.matrix(f"{name}.output"))

    def _weighted(self, name: str, part: str, x: Ball) -> Ball:
        """Return query or key heads after their weighted norm, in a layer that has one (AFFINE-9)."""
        if f"{name}.{part}_norm" not in self._weights.names:
            return x
        weight = self._weights.raw(f"{name}.{part}_norm")
        expected = elementwise.norm(x, weight, self._model["rms_norm_eps"])
        return self._take(f"{name}.weighted_norm.{part}", "weighted_norm", expected, HEADS)

    def _rotated(self, name: str, config: dict[str, Any], x: Ball) -> Ball:
        if config["rope"]:
            angles = self._positions[:, None] * self._weights.raw("rope.inv_freq")
            x = elementwise.rotated(x, angles, self._model["rope_pairing"])
        prefix, part = name.split(".rope.")
        lacks_norm = self._lacks(f"{prefix}.{part}_norm", f"{prefix}.weighted_norm.{part}")
        return self._take(name, "normed_rope" if lacks_norm else "rope", x, HEADS)

    def _lacks(self, tensor: str, result: str) -> bool:
        """Return whether a layer has a tensor of the extension, and the trace no result of its step."""
        return tensor in self._weights.names and result not in self._trace

    def _unit(self, name: str, config: dict[str, Any], x: Ball) -> Ball:
        if config["qk_norm"]:
            x = elementwise.norm(x, None, self._model["rms_norm_eps"])
        return self._take(name, "qk_norm", x, HEADS)

    def _attended(self, name: str, config: dict[str, Any], q: Ball, keys: Ball, values: Ball) -> Ball:
        """Return the outputs of the heads; what the mask hides may have any score."""
        mask = attention.visible(self._positions, config["chunk_size"])
        expected = attention.scores(q, keys)
        shown = np.broadcast_to(mask[:, None, :], expected.value.shape)
        scores = self._take(f"{name}.scores", "scores", expected, WEIGHTS, shown)
        expected = attention.softmax(scores, mask)
        kind = "mask" if self._mask_differs(f"{name}.weights", expected, shown) else "softmax"
        weights = self._take(f"{name}.weights", kind, expected, WEIGHTS)
        return self._take(f"{name}.heads", "heads", attention.weighted(weights, values, mask))

    def _mask_differs(self, name: str, expected: Ball, shown: NDArray[np.bool_]) -> bool:
        """Whether the returned weights show a hidden position, or hide a position that counts."""
        found = self._trace.get(name)
        if found is None or found.shape != shown.shape:
            return False
        return bool(
            ((found != 0) & ~shown).any() or ((found == 0) & (expected.value > expected.radius)).any()
        )

    # FFN.

    def _network(self, name: str, config: dict[str, Any], x: Ball) -> Ball:
        """Return the output of a dense FFN or of the shared expert."""
        first = f"{name}.{'gate_up' if config['gated'] else 'up'}"
        rows = self._project(first, x, self._weights.matrix(first))
        expected = elementwise.hidden(rows, config["activation"], gated=config["gated"])
        hidden = self._take(f"{name}.hidden", "hidden", expected)
        return self._project(f"{name}.down", hidden, self._weights.matrix(f"{name}.down"))

    def _mixture(self, name: str, config: dict[str, Any], x: Ball) -> list[Ball]:
        """Return the terms of the mixture; a runtime may add each of them to the residual stream."""
        router = self._weights.matrix(f"{name}.router")
        values = self._take(f"{name}.router", "router", router.times(x, rounded=False))
        chosen = self._chosen(f"{name}.expert", values)
        tokens = np.arange(len(chosen))
        score = self._take(f"{name}.score", "router", elementwise.sigmoid(values[tokens, chosen]))
        scaled = self._take(f"{name}.scaled", "router", elementwise.rounded_product(score[:, None], x))
        shared = self._network(f"{name}.shared", config, x)
        routed = self._routed(f"{name}.experts", config, scaled, chosen)
        mixture = self._take(f"{name}.mixture", "mixture", total(shared, routed))
        return [mixture] if f"{name}.mixture" in self._trace else [shared, routed]

    def _chosen(self, name: str, values: Ball) -> NDArray[Any]:
        """Return the expert of each token: the returned one, if the router's values allow it."""
        best = np.array(values.value.argmax(axis=-1))  # the lowest index among equal values
        found = self._trace.get(name)
        if found is None or found.shape != best.shape:
            self._take(name, "router", Ball.exact(best.astype(np.float64)))
            return best
        least = (values.value - values.radius).max(axis=-1)
        possible = found.astype(np.intp).clip(0, values.value.shape[-1] - 1)
        rows = np.arange(len(best))
        exact = values.radius[rows, best] == 0
        reachable = (values.value + values.radius)[rows, possible] >= least
        allowed = (possible == best) | (~exact & reachable)
        self._take(name, "router", Ball.exact(np.where(allowed, possible, best).astype(np.float64)))
        returned = found == possible
        best[returned] = possible[returned]
        return best

    def _routed(self, name: str, config: dict[str, Any], x: Ball, chosen: NDArray[np.intp]) -> Ball:
        first = "gate_up" if config["gated"] else "up"

        def matrix(part: str) -> RoutedMatrix:
            return RoutedMatrix(lambda expert: self._weights.matrix(f"{name}.{expert}.{part}"), chosen)

        rows = self._project(f"{name}.{first}", x, matrix(first))
        expected = elementwise.hidden(rows, config["activation"], gated=config["gated"])
        hidden = self._take(f"{name}.hidden", "hidden", expected)
        return self._project(f"{name}.down", hidden, matrix("down"))
