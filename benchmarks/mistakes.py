"""Executions of the reference decoder that differ: legal ones, disturbed within their accuracy, and mistakes.

Each is a context manager that replaces functions of `llq_format.reference` while a decoder is made and run.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np

from llq_format.reference import activations, attention, ffn, forward, matrix, ops
from llq_format.reference.activations import Array, round_binary16
from llq_format.reference.attention import Attention

DISTURBANCE = 2.0**-22  # four units in the last place of binary32, within what every operation may lose


@contextmanager
def disturbed(seed: int) -> Iterator[None]:
    """Multiply the result of every operation by 1 + ε, ε uniform within ±2^−22: a legal execution."""
    rng = np.random.default_rng(seed)

    def noisy(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            y = function(*args, **kwargs)
            return y * (1 + rng.uniform(-DISTURBANCE, DISTURBANCE, y.shape))

        return call

    places = [
        (forward, "rms_norm"),
        (attention, "rms_norm"),
        (attention, "rotate"),
        (attention, "softmax"),
        (matrix.FloatMatrix, "__call__"),
        (matrix.Int8Matrix, "__call__"),
        (ops, "sigmoid"),
    ]
    with ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(mock.patch.object(owner, name, noisy(getattr(owner, name))))
        yield


def _replaced(owner: Any, name: str, function: Any) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: mock.patch.object(owner, name, function)


_ffn = ffn.FFN.__call__
_rotate, _rms_norm, _softmax = attention.rotate, ops.rms_norm, ops.softmax
_split, _quantize, _attends = Attention.split, activations.quantize_int8, attention.attends


def _kv_heads_by_remainder(self: Attention, qkv: Array) -> tuple[Array, Array, Array]:
    """Give query head j key-value head j mod kv_heads, by reordering the query heads."""
    q, k, v = _split(self, qkv)
    model = self.model
    group = model.num_heads // model.num_kv_heads
    order = np.arange(model.num_heads).reshape(group, model.num_kv_heads).T.ravel()
    return q[:, order], k, v


def _int8_by_128(x: Array) -> tuple[Array, Array]:
    largest = np.abs(x).max(axis=-1, keepdims=True)
    scale = np.where(largest > 0, largest, 1) / 128
    return np.clip(np.rint(x / scale), -128, 127), scale


def _int8_truncated(x: Array) -> tuple[Array, Array]:
    s = _quantize(x)[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(s > 0, np.trunc(x / s), 0), s


def _int8_per_batch(x: Array) -> tuple[Array, Array]:
    s = np.full((len(x), 1), np.abs(x).max() / 127)
    return np.clip(np.rint(x / np.where(s > 0, s, 1)), -127, 127), s


def _tanh_gelu(z: Array) -> Array:
    return np.asarray(z / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z**3))))


def _exchanged(self: ffn.FFN, x: Array) -> Array:
    if not self.gated:
        return _ffn(self, x)
    hidden = self.first(x)
    size = hidden.shape[-1] // 2
    return self.down(self.activation(hidden[:, size:]) * hidden[:, :size])


MISTAKES: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {
    "RoPE pairs swapped": _replaced(
        attention,
        "rotate",
        lambda x, a, pairing: _rotate(x, a, "halves" if pairing == "interleaved" else "interleaved"),
    ),
    "eps outside the root": _replaced(
        forward,
        "rms_norm",
        lambda x, w, eps: w * x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps),
    ),
    "eps 1e-6": _replaced(forward, "rms_norm", lambda x, w, _eps: _rms_norm(x, w, 1e-6)),
    "key-value head by remainder": _replaced(Attention, "split", _kv_heads_by_remainder),
    "mask lets the next position in": _replaced(attention, "attends", lambda q, k, c: _attends(q + 1, k, c)),
    "mask hides the own position": _replaced(
        attention, "attends", lambda q, k, c: _attends(np.maximum(q - 1, 0), k, c)
    ),
    "scores eight times too large": _replaced(attention, "softmax", lambda scores: _softmax(scores * 8.0)),
    "gate and up exchanged": _replaced(ffn.FFN, "__call__", _exchanged),
    "gelu for silu": _replaced(ffn, "ACTIVATIONS", {"silu": _tanh_gelu, "gelu": _tanh_gelu}),
    "INT8 scale by 128": _replaced(matrix, "quantize_int8", _int8_by_128),
    "INT8 truncated": _replaced(matrix, "quantize_int8", _int8_truncated),
    "INT8 scale per batch": _replaced(matrix, "quantize_int8", _int8_per_batch),
    "INT8 inputs in binary16": _replaced(
        matrix, "quantize_int8", lambda x: (round_binary16(x), np.ones((len(x), 1)))
    ),
    "binary16 inputs not rounded": _replaced(matrix, "round_binary16", lambda x: x),
}
"""Mistakes of dense decoders, by name."""
