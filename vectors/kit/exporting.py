"""Vectors for exporters: a checkpoint, and the contents of its package, or that it must be refused."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from vectors.kit.checkpoint import Original, Rows, token_ids
from vectors.kit.computed import Answer
from vectors.kit.decoder import Decoder, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.functions import PI
from vectors.kit.npy import header, npy32, npy64
from vectors.kit.tensor import Raw, Tensor
from vectors.kit.weights import bits32

Json = Any
Files = dict[str, bytes]
TOKENS = 8


def frequencies(head_dim: int, base: int = 10000) -> list[float]:
    """Return base^(-2i / head_dim)."""
    return [float(Decimal(base) ** (Decimal(-2 * i) / head_dim)) for i in range(head_dim // 2)]


def llama3(theta: list[float], factor: float, low: float, high: float, original: int) -> list[float]:
    """Return frequencies for a longer context: high ones as they are, low ones divided, a band between."""
    scaled = []
    for angle in theta:
        turns = original * angle / float(2 * PI)  # rotations within the original context
        smooth = min(1.0, max(0.0, (turns - low) / (high - low)))
        scaled.append((1 - smooth) * angle / factor + smooth * angle)
    return scaled


def array(rows: Rows, shape: tuple[int, ...]) -> bytes:
    """Return the .npy file of values: binary16 where that holds them all, or else binary32."""
    values = [value for row in rows for value in row]
    try:
        data = struct.pack(f"<{len(values)}e", *values)
    except OverflowError:
        data = b""
    if data and list(struct.unpack(f"<{len(values)}e", data)) == values:
        return header("<f2", shape) + data
    return npy32(shape, struct.unpack(f"<{len(values)}f", struct.pack(f"<{len(values)}f", *values)))


@dataclass(frozen=True)
class Exportable:
    """A checkpoint that a package can hold: the files of its directory, or a single named file."""

    original: Original
    files: Files
    inv_freq: list[float]

    def tensors(self) -> list[Tensor]:
        """Return the tensors of the model as raw ones, for the decoder."""
        stored: list[Tensor] = []
        for name, rows in self.original.weights().items():
            bits = [bits32(value) for row in rows for value in row]
            stored.append(Raw(name, "f32", shape_of(name, rows), bits.__getitem__))
        stored.append(
            Raw("rope.inv_freq", "f32", (len(self.inv_freq),), [*map(bits32, self.inv_freq)].__getitem__)
        )
        return stored

    def logits(self, tokens: list[int]) -> list[list[float]]:
        """Return the results of the checkpoint, with activations rounded to binary16."""
        model = {**self.original.model, "activations": {"fp16_layers": len(self.original.model["layers"])}}
        decoder = Decoder(model, Weights(self.tensors()), Exact())
        return [decoder.step(token) for token in tokens]

    def answer(self, home: str) -> Answer:
        """Return the entry's members, and the files."""
        files = {f"{home}/checkpoint/{name}": data for name, data in self.files.items()}
        members: dict[str, Json] = {}
        for name, rows in self.original.weights().items():
            members[name] = f"{home}/expected/{name}.npy"
            files[members[name]] = array(rows, shape_of(name, rows))
        tokens = token_ids(self.original.model, TOKENS)
        logits = [value for row in self.logits(tokens) for value in row]
        if not all(map(math.isfinite, logits)):
            raise ValueError(f"{home}: logits are not finite")
        files[f"{home}/expected/logits.npy"] = npy64((TOKENS, self.original.model["vocab_size"]), logits)
        rotating = any(layer["attention"]["rope"] for layer in self.original.model["layers"])
        return {
            "checkpoint": checkpoint_path(home, self.files),
            "refused": False,
            "model": self.original.model,
            "weights": members,
            "inv_freq": self.inv_freq if rotating else None,
            "tokens": tokens,
            "logits": f"{home}/expected/logits.npy",
        }, files


@dataclass(frozen=True)
class Refusable:
    """A checkpoint to refuse; `names`: names that a message may use for the tensor at fault."""

    files: Files
    names: tuple[str, ...] = ()

    def answer(self, home: str) -> Answer:
        """Return the entry's members, and the files."""
        files = {f"{home}/checkpoint/{name}": data for name, data in self.files.items()}
        path = checkpoint_path(home, self.files)
        return {"checkpoint": path, "refused": True, "names": list(self.names)}, files


def checkpoint_path(home: str, files: Files) -> str:
    """Return the path of the checkpoint for an exporter: a GGUF file, or a directory."""
    (first, *further) = files
    return f"{home}/checkpoint/{first}" if not further and first.endswith(".gguf") else f"{home}/checkpoint"


def shape_of(name: str, rows: Rows) -> tuple[int, ...]:
    """Return the shape of a tensor: a norm is a vector."""
    return (len(rows[0]),) if name.rpartition(".")[2].endswith("norm") else (len(rows), len(rows[0]))
