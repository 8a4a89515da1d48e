"""Deliberately small runtimes, all but the first deliberately wrong: they show what the suite reports.

Try one: `pytest conformance --runtime=py:examples.python.miniatures:NibblePairs`
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Weights = NDArray[np.float32]


class Info(NamedTuple):
    """What a runtime is called."""

    name: str
    version: str = "0"
    language: str = "Python"
    kv_cache: str = ""


class Verdict(NamedTuple):
    """The rules that a package breaks, the first error first, and warnings; without rules it is accepted."""

    rules: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Right:
    """Decodes tensors; claims nothing else."""

    capabilities = frozenset({"decode"})

    @property
    def info(self) -> Info:
        """The name of the class."""
        return Info(type(self).__name__)

    def decode(self, package: Path, tensor: str) -> Weights:
        """Return the weights of one tensor, float32 in its shape."""
        metadata = json.loads((package / "metadata.json").read_text("utf-8"))
        entry = next(entry for entry in metadata["tensors"] if entry["name"] == tensor)
        rows = []
        for part in entry["parts"]:
            shard = package / metadata["shards"][part["shard"]]["file"]
            data = np.fromfile(shard, np.uint8, part["byte_length"], offset=part["offset"])
            shape = (part["num_rows"], *entry["shape"][1:])
            rows.append(self.weights(data, entry["dtype"], shape))
        return np.concatenate(rows)

    def weights(self, data: Bytes, dtype: str, shape: tuple[int, ...]) -> Weights:
        """Return the weights of a part: raw values, or blocks of 64 × 64 row by row, cropped at the edges."""
        if dtype in ("f16", "f32"):
            values = data.view("<f2" if dtype == "f16" else "<f4")[: np.prod(shape)]
            return values.reshape(shape).astype(np.float32)
        rows, cols = shape
        down, across = -(-rows // 64), -(-cols // 64)
        count = down * across
        scales = data[256:].view("<f2")[:count].astype(np.float32)
        zero_points = np.full(count, 8, np.float32)
        if dtype == "int4_affine":
            begin = 256 + -(-2 * count // 256) * 256
            zero_points = data[begin:][:count].view(np.int8).astype(np.float32)
        codes = self.codes(data[-2048 * count :].reshape(count, 2048))
        blocks = (scales[:, None] * (codes - zero_points[:, None])).reshape(down, across, 64, 64)
        return blocks.swapaxes(1, 2).reshape(64 * down, 64 * across)[:rows, :cols]

    def codes(self, packed: Bytes) -> Bytes:
        """Return the codes of blocks, [n, 4096]: two planes of two bits each, the low plane first."""
        fields = (packed[..., None] >> np.array([0, 2, 4, 6], np.uint8)) & 3
        low, high = fields.reshape(len(packed), 2, 4096).swapaxes(0, 1)
        return low + 4 * high


class NibblePairs(Right):
    """Takes a byte of a block for two adjacent codes, as most formats pack them."""

    def codes(self, packed: Bytes) -> Bytes:
        """Return the low nibble of each byte, then its high nibble."""
        return np.stack([packed & 15, packed >> 4], axis=-1).reshape(len(packed), 4096)


class MinusZero(Right):
    """Computes scale · zero_point − scale · code and negates it, so that zeros become −0."""

    def decode(self, package: Path, tensor: str) -> Weights:
        """Return the weights, and −0 for 0."""
        weights = super().decode(package, tensor)
        return np.where(weights == 0, np.float32(-0.0), weights)


class Zeros(Right):
    """Returns buffers that were never filled."""

    def decode(self, package: Path, tensor: str) -> Weights:
        """Return zeros of the right shape."""
        return np.zeros_like(super().decode(package, tensor))


class Noise(Right):
    """Returns weights without a meaning."""

    def decode(self, package: Path, tensor: str) -> Weights:
        """Return noise of the right shape, the same each time."""
        shape = super().decode(package, tensor).shape
        return np.random.default_rng(1).standard_normal(shape, np.float32)


class AcceptsAll(Right):
    """Claims to refuse what breaks a rule, and accepts every package."""

    capabilities = frozenset({"decode", "reject"})

    def validate(self, package: Path) -> Verdict:  # noqa: ARG002  # not looked at, that is the point
        """Accept."""
        return Verdict()


class RefusesAll(AcceptsAll):
    """Refuses every package, and for the same rule."""

    def validate(self, package: Path) -> Verdict:  # noqa: ARG002
        """Refuse."""
        return Verdict(("LLQ-PKG-1",))
