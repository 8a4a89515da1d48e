"""Tensor types of GGUF files: values, by definitions of blocks written once more in scalar arithmetic.

The definitions are those of ggml. The types without a definition here are compared with the gguf package,
which dequantizes a whole matrix at once.
"""

import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGML_QUANT_SIZES
from gguf import GGMLQuantizationType as GgmlType
from gguf.quants import dequantize

from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from llq_format.exporting.checkpoint.gguf_file import GgufFile, supported_types
from tests.support.gguf_files import METADATA, Arrays, Stored, plain, weights, write

WIDE = 256
"""Hidden size and FFN size of the models here, a multiple of every block."""

IQ4 = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)
PLAIN = {"F32", "F16", "BF16"}


def half(raw: bytes, at: int) -> float:
    return float(struct.unpack_from("<e", raw, at)[0])


def nibbles(raw: bytes) -> list[int]:
    """Return the low nibbles of all bytes, then the high nibbles."""
    return [byte & 15 for byte in raw] + [byte >> 4 for byte in raw]


def fives(raw: bytes, high: bytes) -> list[int]:
    """Return 32 numbers of 5 bits, whose upper bits are in an integer of 32 bits."""
    bits = int.from_bytes(high, "little")
    return [low | (bits >> j & 1) << 4 for j, low in enumerate(nibbles(raw))]


def q4_0(raw: bytes) -> list[float]:
    return [half(raw, 0) * (q - 8) for q in nibbles(raw[2:])]


def q4_1(raw: bytes) -> list[float]:
    return [half(raw, 0) * q + half(raw, 2) for q in nibbles(raw[4:])]


def q5_0(raw: bytes) -> list[float]:
    return [half(raw, 0) * (q - 16) for q in fives(raw[6:], raw[2:6])]


def q5_1(raw: bytes) -> list[float]:
    return [half(raw, 0) * q + half(raw, 2) for q in fives(raw[8:], raw[4:8])]


def q8_0(raw: bytes) -> list[float]:
    return [half(raw, 0) * q for q in struct.unpack("<32b", raw[2:])]


def iq4_nl(raw: bytes) -> list[float]:
    return [half(raw, 0) * IQ4[q] for q in nibbles(raw[2:])]


def q2_k(raw: bytes) -> list[float]:
    scales, codes, scale, least = raw[:16], raw[16:80], half(raw, 80), half(raw, 82)
    values = []
    for j in range(256):
        part, within = divmod(j, 128)
        shift, byte = divmod(within, 32)
        code = codes[32 * part + byte] >> 2 * shift & 3
        both = scales[j // 16]
        values.append(scale * (both & 15) * code - least * (both >> 4))
    return values


def scale_and_least(packed: bytes, j: int) -> tuple[int, int]:
    """Return two numbers of 6 bits; 8 pairs are packed into 12 bytes."""
    if j < 4:
        return packed[j] & 63, packed[j + 4] & 63
    return (
        packed[j + 4] & 15 | packed[j - 4] >> 6 << 4,
        packed[j + 4] >> 4 | packed[j] >> 6 << 4,
    )


def sums_k(raw: bytes, codes: list[int]) -> list[float]:
    """Return the values of 8 blocks of 32 codes with packed scales."""
    scale, least = half(raw, 0), half(raw, 2)
    pairs = [scale_and_least(raw[4:16], j) for j in range(8)]
    return [scale * pairs[j // 32][0] * q - least * pairs[j // 32][1] for j, q in enumerate(codes)]


def q4_k(raw: bytes) -> list[float]:
    return sums_k(raw, [q for j in range(4) for q in nibbles(raw[16 + 32 * j : 48 + 32 * j])])


def q5_k(raw: bytes) -> list[float]:
    high, low = raw[16:48], [q for j in range(4) for q in nibbles(raw[48 + 32 * j : 80 + 32 * j])]
    return sums_k(raw, [q | (high[j % 32] >> j // 32 & 1) << 4 for j, q in enumerate(low)])


def q6_k(raw: bytes) -> list[float]:
    low, high, scales = raw[:128], raw[128:192], struct.unpack("<16b", raw[192:208])
    values = []
    for j in range(256):
        part, within = divmod(j, 128)
        quarter, byte = divmod(within, 32)
        nibble = low[64 * part + 32 * (quarter % 2) + byte] >> 4 * (quarter // 2) & 15
        code = nibble | (high[32 * part + byte] >> 2 * quarter & 3) << 4
        values.append(half(raw, 208) * scales[j // 16] * (code - 32))
    return values


DEFINITIONS: dict[str, tuple[Callable[[bytes], list[float]], tuple[int, ...]]] = {
    "Q4_0": (q4_0, (0,)),
    "Q4_1": (q4_1, (0, 2)),
    "Q5_0": (q5_0, (0,)),
    "Q5_1": (q5_1, (0, 2)),
    "Q8_0": (q8_0, (0,)),
    "IQ4_NL": (iq4_nl, (0,)),
    "Q2_K": (q2_k, (80, 82)),
    "Q4_K": (q4_k, (0, 2)),
    "Q5_K": (q5_k, (0, 2)),
    "Q6_K": (q6_k, (208,)),
}
"""By type, the values of a block, and the offsets of its binary16 numbers."""


def wide_weights() -> Arrays:
    """Return a model of one layer whose rows hold whole blocks."""
    rng = np.random.default_rng(4)
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (40, WIDE), "output_norm": (WIDE,)}
    shapes |= {
        f"blk.0.{name}": shape
        for name, shape in {
            "attn_norm": (WIDE,),
            "attn_q": (256, WIDE),
            "attn_k": (128, WIDE),
            "attn_v": (128, WIDE),
            "attn_output": (WIDE, 256),
            "ffn_norm": (WIDE,),
            "ffn_gate": (WIDE, WIDE),
            "ffn_up": (WIDE, WIDE),
            "ffn_down": (WIDE, WIDE),
        }.items()
    }
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


WIDE_METADATA: dict[str, Any] = METADATA | {
    "llama.embedding_length": WIDE,
    "llama.block_count": 1,
    "llama.feed_forward_length": WIDE,
    "llama.rope.dimension_count": 64,
}


def blocks_of(kind: GgmlType, shape: tuple[int, int], halves: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return random blocks, [rows, blocks per row, bytes], whose binary16 numbers at `halves` are small."""
    rng = np.random.default_rng(5)
    length, size = GGML_QUANT_SIZES[kind]
    raw = rng.integers(0, 256, (shape[0], shape[1] // length, size), np.uint8)
    for at in halves:
        numbers = rng.integers(1, 64, raw.shape[:2]).astype(np.float16)[..., None] / np.float16(64)
        raw[..., at : at + 2] = numbers.view(np.uint8)
    return raw


def stored_model(kind: GgmlType, values: Callable[[npt.NDArray[np.uint8]], Any]) -> tuple[Stored, Arrays]:
    """Return the tensors of a file whose matrices have the type, and the weights that `values` gives."""
    tensors: Stored = {}
    expected: Arrays = {}
    _, halves = DEFINITIONS.get(kind.name, (None, ()))
    for key, array in wide_weights().items():
        if array.ndim == 1:
            expected[key], tensors[key] = array, (array, None)
            continue
        raw = blocks_of(kind, array.shape, halves)
        expected[key] = np.array(values(raw), np.float32)
        flat = raw.reshape(len(raw), -1)
        heads = {"blk.0.attn_q": 4, "blk.0.attn_k": 2}.get(key)
        tensors[key] = (flat if heads is None else reorder(flat, heads), kind)
    return tensors, expected


def reorder(rows: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Return rows as conversion to GGUF orders them: element i of a head next to element i + D/2."""
    width = len(rows) // heads
    order = [
        h * width + i + second for h in range(heads) for i in range(width // 2) for second in (0, width // 2)
    ]
    return rows[order]


def check_loads(path: Path, expected: Arrays) -> None:
    with open_checkpoint(path, tokenizer=False) as checkpoint:
        for name, parts in {
            "embedding": ("token_embd",),
            "layers.0.attention.qkv": tuple(f"blk.0.attn_{x}" for x in "qkv"),
            "layers.0.attention.output": ("blk.0.attn_output",),
            "layers.0.ffn.gate_up": ("blk.0.ffn_gate", "blk.0.ffn_up"),
            "layers.0.ffn.down": ("blk.0.ffn_down",),
        }.items():
            rows = np.concatenate([expected[part] for part in parts])
            np.testing.assert_array_equal(checkpoint.load(name), rows)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_values_follow_the_definition_of_the_type(tmp_path: Path, name: str) -> None:
    kind, (definition, _) = GgmlType[name], DEFINITIONS[name]

    def values(raw: npt.NDArray[np.uint8]) -> list[list[float]]:
        return [[x for block in row for x in definition(block.tobytes())] for row in raw]

    tensors, expected = stored_model(kind, values)
    check_loads(write(tmp_path / "m.gguf", tensors, metadata=WIDE_METADATA), expected)


@pytest.mark.parametrize("name", sorted(supported_types() - set(DEFINITIONS) - PLAIN))
def test_other_types_have_the_values_of_the_gguf_package(tmp_path: Path, name: str) -> None:
    kind = GgmlType[name]

    def values(raw: npt.NDArray[np.uint8]) -> Any:
        with np.errstate(all="ignore"):
            return dequantize(raw.reshape(len(raw), -1), kind)

    tensors, expected = stored_model(kind, values)
    check_loads(write(tmp_path / "m.gguf", tensors, metadata=WIDE_METADATA), expected)


def test_types_may_be_mixed_in_a_layer(tmp_path: Path) -> None:
    four, six = (stored_model(GgmlType[name], lambda raw: raw[..., 0])[0] for name in ("Q4_0", "Q6_K"))
    tensors = four | {"token_embd": six["token_embd"], "blk.0.ffn_down": six["blk.0.ffn_down"]}
    path = write(tmp_path / "m.gguf", tensors, metadata=WIDE_METADATA)
    with open_checkpoint(path, tokenizer=False) as checkpoint:
        assert checkpoint.provenance["tensor_types"] == {"F32": 3, "Q4_0": 6, "Q6_K": 2}
        raw = six["token_embd"][0].reshape(40, 1, -1)
        expected = np.array([q6_k(row.tobytes()) for row in raw], np.float32)
        np.testing.assert_array_equal(checkpoint.load("embedding"), expected)


def test_type_that_cannot_be_dequantized_is_named(tmp_path: Path) -> None:
    tensors = plain(weights())
    tensors["token_embd"] = (np.zeros((40, 64), np.int32), None)
    with pytest.raises(
        CheckpointError, match=r"token_embd\.weight has type I32; supported are BF16, F16, F32, IQ1_M"
    ):
        open_checkpoint(write(tmp_path / "m.gguf", tensors), tokenizer=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(supported_types()))
def test_dequantization_needs_little_memory(tmp_path: Path, name: str) -> None:
    """Memory in addition to the matrix (2²³ values, 32 MiB) does not depend on its size."""
    kind = GgmlType[name]
    length, size = GGML_QUANT_SIZES[kind]
    rows = 2**15
    stored = np.zeros((rows, 256 // length * size), np.uint8)
    tensors = stored_model(GgmlType.Q4_0, lambda raw: raw[..., 0])[0]
    if name in {"F16", "F32"}:
        tensors["token_embd"] = (stored.view(np.float16 if name == "F16" else np.float32), None)
    else:
        tensors["token_embd"] = (stored, kind)
    path = write(tmp_path / "m.gguf", tensors, metadata=WIDE_METADATA | {"llama.vocab_size": rows})
    del tensors, stored
    with open_checkpoint(path, tokenizer=False) as checkpoint:
        tracemalloc.start()
        try:
            embedding = checkpoint.load("embedding")
            assert tracemalloc.get_traced_memory()[1] < embedding.nbytes + 2**25
        finally:
            tracemalloc.stop()


def test_supported_types_include_the_usual_ones(tmp_path: Path) -> None:
    assert {"Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "Q5_0", "Q5_1", "IQ4_XS", "IQ1_S"} <= supported_types()
    assert GgufFile(write(tmp_path / "m.gguf", plain(weights()))).dtypes == supported_types()
