"""Conforming variants made over the reference: what the specification leaves open, done otherwise."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.metadata.model import ContextError
from llq_format.reference import affine, attention, forward, matrix, moe, ops
from llq_format.reference.activations import Array, quantize_int8, round_binary16
from llq_format.reference.attention import KVCache
from llq_format.reference.ffn import FFN
from llq_format.reference.observation import Observe, unobserved, within

from ...container.decoding import Reading, raw
from ...container.package import read_tensor
from ...core.runtime import Reals, Verdict
from ...runtimes import reference
from ...runtimes.reference import Reference
from ..mutants.seam import Seam

DISTURBANCE = 2.0**-22
"""A relative error within what every operation of binary32 may lose (chapter Numerics)."""


def _places(seam: Seam, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Change the results of all operations of a decoder."""
    for owner, name in (
        *((forward, "rms_norm"), (attention, "rms_norm"), (attention, "rotate"), (attention, "softmax")),
        # Not FloatMatrix: it is the head too, and rows of the head that are equal give equal logits.
        *((matrix.Int8Matrix, "product"), (FFN, "hidden")),
        *((attention, "weighted_values"), (moe, "sigmoid"), (affine, "head_norm")),
    ):
        seam.wrap(owner, name, change)


def disturbed(seed: int) -> Callable[[Seam], None]:
    """Return an execution whose operations have errors of the size that binary32 allows."""

    def mutate(seam: Seam) -> None:
        random = np.random.default_rng(seed)

        def noisy(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                y = function(*arguments)
                return y * (1 + random.uniform(-DISTURBANCE, DISTURBANCE, np.shape(y)))

            return call

        _places(seam, noisy)

    return mutate


def in_binary32(seed: int) -> Callable[[Seam], None]:
    """Return an execution whose operations are disturbed, and whose products of raw inputs are in binary32.

    Each product adds its terms one after another, in an order of its own.
    """

    def mutate(seam: Seam) -> None:
        disturbed(seed)(seam)
        random = np.random.default_rng(seed)

        def layer_product(self: matrix.FloatMatrix, x: matrix.Rounded) -> Array:
            values = np.ascontiguousarray(x.values.T, np.float32)
            weights = np.ascontiguousarray(self._weights.T, np.float32)
            total = np.zeros((values.shape[1], weights.shape[1]), np.float32)
            for column in random.permutation(len(values)):
                total += values[column][:, None] * weights[column]
            return total.astype(np.float64)

        def in_layers(int4_matrix: Callable[..., Any]) -> Callable[..., Any]:
            def made(*arguments: Any) -> Any:
                made_matrix = int4_matrix(*arguments)
                if isinstance(made_matrix, matrix.FloatMatrix):
                    made_matrix.product = MethodType(layer_product, made_matrix)  # type: ignore[method-assign]
                return made_matrix

            return made

        seam.wrap(forward, "int4_matrix", in_layers)

    return mutate


def float32_results(seam: Seam) -> None:
    """Round the result of every operation to binary32."""

    def narrow(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: function(*arguments).astype(np.float32).astype(np.float64)

    _places(seam, narrow)


def online_softmax(seam: Seam) -> None:
    """Take the softmax in one pass over the positions, rescaling the sum whenever the maximum grows."""

    def online(scores: Array) -> Array:
        greatest = np.full(scores.shape[:-1], -np.inf)
        total = np.zeros(scores.shape[:-1])
        for position in range(scores.shape[-1]):
            score = scores[..., position]
            maximum = np.maximum(greatest, score)
            with np.errstate(invalid="ignore"):
                total = total * np.nan_to_num(np.exp(greatest - maximum)) + np.nan_to_num(
                    np.exp(score - maximum)
                )
            greatest = maximum
        return np.asarray(np.exp(scores - greatest[..., None]) / total[..., None])

    seam.replace(attention, "softmax", online)


def great_negative_mask(seam: Seam) -> None:
    """Mask with −10^30, not −∞."""
    seam.wrap(
        attention,
        "softmax",
        lambda softmax: lambda scores: softmax(np.where(np.isneginf(scores), -1e30, scores)),
    )


def all_experts_masked(seam: Seam) -> None:
    """Compute all experts for all tokens, and mask."""

    def call(self: moe.MoE, x: Array, observe: Observe = unobserved) -> Array:
        selection, scores = self.route(x, observe)
        outputs = np.stack([expert(scores[:, None] * x) for expert in self.experts])
        mask = np.arange(len(self.experts))[:, None] == selection
        shared = self.shared(x, within(observe, "shared"))
        return observe("mixture", shared + (outputs * mask[:, :, None]).sum(axis=0))

    seam.replace(moe.MoE, "__call__", call)


def tokens_sorted_by_expert(seam: Seam) -> None:
    """Compute the tokens of each expert together."""

    def call(self: moe.MoE, x: Array, observe: Observe = unobserved) -> Array:
        selection, scores = self.route(x, observe)
        y = self.shared(x, within(observe, "shared")).copy()
        for number in np.unique(selection)[::-1]:
            mine = selection == number
            y[mine] += self.experts[number](scores[mine, None] * x[mine])
        return observe("mixture", y)

    seam.replace(moe.MoE, "__call__", call)


def norm_by_reciprocal(seam: Seam) -> None:
    """Multiply by the reciprocal of the root, in binary32."""

    def norm(x: Array, weight: Array | None, eps: float) -> Array:
        mean = np.mean((x * x).astype(np.float32), axis=-1, keepdims=True, dtype=np.float32)
        y = x * (np.float32(1) / np.sqrt(mean + np.float32(eps))).astype(np.float64)
        return np.asarray(y if weight is None else y * weight)

    for module in (forward, attention, affine):
        seam.replace(module, "rms_norm", norm)


def sigmoid_by_tanh(seam: Seam) -> None:
    """Compute the sigmoid as (1 + tanh(z / 2)) / 2."""
    for module in (ops, moe):
        seam.replace(module, "sigmoid", lambda z: (1 + np.tanh(z / 2)) / 2)


def codes_by_reciprocal(seam: Seam) -> None:
    """Quantize with a reciprocal in binary32, where rounding may go the other way within the guard band."""

    def quantize(x: Array) -> tuple[Array, Array]:
        narrow = x.astype(np.float32)
        largest = np.abs(narrow).max(axis=-1, keepdims=True)
        alive = largest > np.float32(2.0**-100)
        reciprocal = np.float32(127) / np.where(alive, largest, np.float32(1))
        q = np.where(alive, np.clip(np.rint(narrow * reciprocal), -127, 127), 0)
        return q.astype(np.float64), np.where(alive, largest * np.float32(1 / 127), 0).astype(np.float64)

    for module in (matrix, reference):
        seam.replace(module, "quantize_int8", quantize)


def subnormals_flushed(seam: Seam) -> None:
    """Flush results of rounding to binary16 that are subnormal."""

    def rounded(x: Array) -> Array:
        a = round_binary16(x)
        return np.where(np.abs(a) < 2.0**-14, 0, a)

    for module in (matrix, reference):
        seam.replace(module, "round_binary16", rounded)


def scale_at_its_limit(seam: Seam) -> None:
    """Store INT8 scales that are nearly 2^−21 too great."""

    def quantize(x: Array) -> tuple[Array, Array]:
        q, s = quantize_int8(x)
        return q, s * (1 + 0.99 * 2.0**-21)

    seam.replace(reference, "quantize_int8", quantize)


def preallocated_cache(seam: Seam) -> None:
    """Keep keys and values in buffers for more positions than there are, in binary32."""

    def extend(self: KVCache, keys: Array, values: Array) -> tuple[Array, Array]:
        buffers = []
        for cache, new in ((self.keys, keys), (self.values, values)):
            previous = cache[0] if cache else np.zeros((0, *new.shape[1:]), np.float32)
            buffer = np.full((len(previous) + len(new) + 7, *new.shape[1:]), np.nan, np.float32)
            buffer[: len(previous)], buffer[len(previous) : -7] = previous, new
            cache[:] = [buffer[:-7]]
            buffers.append(buffer[:-7].astype(np.float64))
        return buffers[0], buffers[1]

    seam.replace(KVCache, "extend", extend)


class InSteps(Reference):
    """Computes a limited number of tokens at once."""

    def __init__(self, most: int) -> None:
        """Store the maximum number of tokens."""
        super().__init__()
        self._limit = most

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence in shorter steps."""
        steps: list[int] = []
        for split in splits:
            steps += [self._limit] * (split // self._limit)
            steps += [split % self._limit] if split % self._limit else []
        return super().logits(package, tokens, steps)


class AtOnceWithoutCache(Reference):
    """Computes each sequence at once, regardless of splits; each generated token starts a new prefill."""

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence."""
        return super().logits(package, tokens, [sum(splits)])

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Choose each token by a prefill of all before it, until they fill the context (LLQ-GEN-2)."""
        generated: list[int] = []
        while len(generated) < max_tokens:
            try:
                following = super().generate(package, [*tokens, *generated], 1)
            except ContextError:
                if not generated:
                    raise
                break
            if not following:
                break
            generated += following
        return generated


class AnswersInBinary32(Reference):
    """Answers in binary32."""

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Return float32."""
        return super().logits(package, tokens, splits).astype(np.float32)

    def matvec(self, package: Path, tensor: str, form: Any, x: NDArray[np.float32]) -> Reals:
        """Return float32."""
        return super().matvec(package, tensor, form, x).astype(np.float32)


class FirstErrorAlone(Reference):
    """Stops at the first error, and warns of nothing."""

    def validate(self, package: Path) -> Verdict:
        """Return the first rule alone."""
        return Verdict(super().validate(package).rules[:1])


class TalkativeValidator(Reference):
    """Reports other findings after the first, each several times, and warnings without cause."""

    def validate(self, package: Path) -> Verdict:
        """Return further rules after the first."""
        rules = super().validate(package).rules
        return Verdict(rules + rules[::-1] + ("LLQ-PKG-1",) if rules else (), ("LLQ-PKG-10",))


class BlocksBackwards(Reference):
    """Decodes the parts of a tensor, and the blocks of a part, from the last to the first."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights, after the reference has checked them."""
        super().decode(package, tensor)
        backwards = Reading(
            weigh=lambda q, s, z: (s[::-1, None, None] * (q - z[:, None, None])[::-1])[::-1],
            raw=lambda part: raw(part)[::-1][::-1],
            join=lambda matrices: np.concatenate([*reversed(matrices)][::-1]),
        )
        return backwards(read_tensor(package, tensor))


class ProductsApart(Reference):
    """Decodes by s·q − s·z in binary64, where both products are exact, and zero stays +0."""

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights, after the reference has checked them."""
        super().decode(package, tensor)

        def weigh(q: Any, scale: Any, zero_point: Any) -> Any:
            return scale[:, None, None] * q - (scale * zero_point)[:, None, None]

        return Reading(weigh=weigh)(read_tensor(package, tensor))
