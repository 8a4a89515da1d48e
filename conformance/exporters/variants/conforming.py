"""Conforming variants: unusual but legal exporters. No check may fail."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llq_format.exporting.checkpoint import Checkpoint
from llq_format.format.dequantize import LARGEST_WEIGHT
from llq_format.format.quantize import QuantizeError, round_affine, round_symmetric

from ...core.runtime import Info
from ..protocol import UnknownExporterError
from .recipe import Recipe, Sections, Weights, load

Export = Callable[[Path, Path], None]


@dataclass(frozen=True)
class ConformingVariant:
    """An unusual but legal exporter: its name, what is unusual, what it claims, and how it exports."""

    name: str
    title: str
    recipe: Export
    claim: str = "rounding"

    def __call__(self, checkpoint: Path, package: Path) -> None:
        """Export."""
        self.recipe(checkpoint, package)

    @property
    def info(self) -> Info:
        """Name and language of the exporter."""
        return Info(f"conforming variant {self.name}", language="Python")


def ties_away(blocks: Any) -> Sections:
    """Round ties away from zero_point, as C's roundf does: as near as ties to even."""
    scales, zero_points, _ = round_affine(blocks)
    assert zero_points is not None  # noqa: S101 - the scheme is affine
    steps = blocks.astype(np.float64) / scales.astype(np.float64)[:, None, None]
    codes = np.trunc(steps + np.copysign(0.5, steps)) + zero_points.astype(np.int64)[:, None, None]
    return scales, zero_points, np.clip(codes, 0, 15).astype(np.uint8)


def clipped(blocks: Any) -> Sections:
    """Cut a tenth off each block's range, so that its ends are more than half a step away."""
    if np.abs(blocks).max() > LARGEST_WEIGHT:
        raise QuantizeError("a weight is above 65504")  # which the cut would hide
    low, high = 0.9 * blocks.min(axis=(1, 2)), 0.9 * blocks.max(axis=(1, 2))
    scales, zero_points, codes = round_affine(
        np.clip(blocks, low[:, None, None], high[:, None, None]).astype(np.float32)
    )
    return scales, zero_points, codes


def with_feedback(blocks: Any) -> Sections:
    """Carry the error of each column into the next one, as rounding with error feedback does."""
    scales, zero_points, _ = round_affine(blocks)
    assert zero_points is not None  # noqa: S101 - the scheme is affine
    scale = scales.astype(np.float64)[:, None]
    codes = np.zeros(blocks.shape, np.uint8)
    carried = np.zeros(blocks.shape[:2])
    for col in range(blocks.shape[2]):
        target = blocks[:, :, col] + 0.3 * carried
        code = np.clip(np.rint(target / scale) + zero_points[:, None], 0, 15)
        carried = target - scale * (code - zero_points[:, None])
        codes[:, :, col] = code
    return scales, zero_points, codes


def nearest_scale(blocks: Any) -> Sections:
    """Store the binary16 nearest to the scale, and round with the scale before that."""
    low, high = np.minimum(blocks.min(axis=(1, 2)), 0.0), np.maximum(blocks.max(axis=(1, 2)), 0.0)
    steps = np.maximum((high.astype(np.float64) - low) / 15, 2.0**-14)
    zero_points = np.clip(np.rint(-low / steps), 0, 15)
    codes = np.rint(blocks / steps[:, None, None]) + zero_points[:, None, None]
    return steps.astype(np.float16), zero_points.astype(np.int8), np.clip(codes, 0, 15).astype(np.uint8)


def other_pairing(model: dict[str, Any]) -> dict[str, Any]:
    """State the other pairing of RoPE."""
    pairings = {"halves": "interleaved", "interleaved": "halves"}
    return {**model, "rope_pairing": pairings[model["rope_pairing"]]}


def reordered(source: Checkpoint, name: str) -> Weights:
    """Return a tensor; rotated rows of q and k are in the order of the other pairing."""
    values = load(source, name)
    model = source.model
    if not name.endswith(".qkv") or not model["layers"][int(name.split(".")[1])]["attention"]["rope"]:
        return values
    width, rotated = model["head_dim"], (model["num_heads"] + model["num_kv_heads"]) * model["head_dim"]
    heads = values[:rotated].reshape(-1, width, values.shape[1])
    from_halves = model["rope_pairing"] == "halves"
    shape = (2, width // 2) if from_halves else (width // 2, 2)
    moved = heads.reshape(-1, *shape, values.shape[1]).swapaxes(1, 2)
    return np.concatenate([moved.reshape(rotated, -1), values[rotated:]])


def untied(model: dict[str, Any]) -> dict[str, Any]:
    """Store a separate head even if the checkpoint ties it."""
    return {**model, "tied_embeddings": False}


def folded(source: Checkpoint, name: str) -> Weights:
    """Return a tensor; the norm before the FFN is folded into the matrices after it."""
    values = load(source, name)
    if name.endswith("ffn_norm"):
        if not np.isfinite(values).all():
            raise QuantizeError(f"tensor {name!r} holds a value that is not finite")
        return np.ones_like(values)
    parts = name.split(".")
    if parts[-1] in ("gate_up", "router") and "ffn" in parts:
        values = values * source.load(f"layers.{parts[1]}.ffn_norm")
    return values


def permuted(source: Checkpoint, name: str) -> Weights:
    """Return a tensor; the channels of each FFN are reversed."""
    values = load(source, name)
    if name.endswith("gate_up"):
        gate, up = np.split(values, 2)
        return np.concatenate([gate[::-1], up[::-1]])
    return np.ascontiguousarray(values[:, ::-1]) if name.endswith("ffn.down") or _expert(name) else values


def _expert(name: str) -> bool:
    return name.endswith(".down") and ("experts" in name or "shared" in name)


def with_card(checkpoint: Path, package: Path) -> None:
    """Put a model card in the package."""
    Recipe()(checkpoint, package)
    (package / "README.md").write_text("A tiny model.\n", encoding="utf-8")


def provenance_extras(_checkpoint: Path, _package: Path) -> dict[str, Any]:
    """Return what an exporter may say of itself."""
    return {"provenance": {"method": "rtn", "seed": 20261122, "note": "version 2.0.1 of 1999"}}


CONFORMING = {
    variant.name: variant
    for variant in (
        ConformingVariant("control", "nothing is unusual", Recipe()),
        ConformingVariant(
            "symmetric", "zero_point 8 throughout", Recipe(rounder=round_symmetric, matrices="int4_symmetric")
        ),
        ConformingVariant("ties-away", "ties rounded away from zero", Recipe(rounder=ties_away)),
        ConformingVariant(
            "nearest-scale", "scales rounded after the codes were chosen", Recipe(rounder=nearest_scale)
        ),
        ConformingVariant("embedding-f32", "embedding in binary32", Recipe(dtypes={"embedding": "f32"})),
        ConformingVariant("head-f16", "lm_head in binary16", Recipe(dtypes={"lm_head": "f16"})),
        ConformingVariant("untied", "a head that was tied stored apart", Recipe(model=untied)),
        ConformingVariant(
            "stem-of-checkpoint", "the checkpoint's name as stem", Recipe(stem=lambda path: path.stem)
        ),
        ConformingVariant("many-shards", "shards of at most 8192 bytes", Recipe(shard_limit=8192)),
        ConformingVariant("with-extras", "provenance in extras", Recipe(extras=provenance_extras)),
        ConformingVariant("with-card", "a model card in the package", with_card),
        ConformingVariant(
            "other-pairing", "the other rope_pairing, rows reordered", Recipe(other_pairing, reordered)
        ),
        ConformingVariant("clipped", "a range cut at both ends", Recipe(rounder=clipped), "weights"),
        ConformingVariant(
            "with-feedback", "rounding with error feedback", Recipe(rounder=with_feedback), "weights"
        ),
        ConformingVariant("folded-norms", "norms folded into matrices", Recipe(load=folded), "model"),
        ConformingVariant(
            "permuted-channels", "channels of the FFN in another order", Recipe(load=permuted), "model"
        ),
    )
}
"""All conforming variants by name."""


def exporter(name: str) -> ConformingVariant:
    """Return the conforming variant of a name; raises UnknownExporterError."""
    if name not in CONFORMING:
        raise UnknownExporterError(
            f"there is no conforming variant of the exporter {name!r}; "
            f"expected one of {', '.join(CONFORMING)}"
        )
    return CONFORMING[name]
