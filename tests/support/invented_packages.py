"""Hypothesis strategies that invent packages: legal blocks and values, with or without a model."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from llq_format import Metadata, Model, PackedTensor, TokenizerFiles, save
from llq_format.format.layout import Dtype, rows_cols
from llq_format.format.packing import pack
from llq_format.format.sections import part_bytes
from llq_format.metadata.model import FFN, Attention, Layer, MoE, Temperature, tensor_roles
from llq_format.webgpu.planning.program_files import ProgramOptions, module_bytes, program_maker

Tensor = PackedTensor | NDArray[np.floating]
NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_]{0,6}(\.[A-Za-z0-9][A-Za-z0-9_]{0,3}){0,2}", fullmatch=True)
DTYPES: st.SearchStrategy[Dtype] = st.sampled_from(["int4_affine", "int4_symmetric", "f16", "f32"])


@dataclass(frozen=True)
class Invented:
    """What a package is made of: tensors and the other arguments of `save`."""

    tensors: Mapping[str, Tensor]
    options: Mapping[str, Any] = field(default_factory=dict)

    def write(self, directory: Path) -> Metadata:
        """Write the package, without waiting for the disk."""
        with patch.object(os, "fsync"):
            return save(directory, self.tensors, **self.options)


def _largest_scale_bits(zero_points: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bits of the largest scale with scale · max(|zp|, |15 − zp|) at most 65504."""
    reach = np.maximum(np.abs(zero_points), np.abs(15 - zero_points)).astype(np.float64)
    bits = (65504 / reach).astype(np.float16).view(np.uint16).astype(np.int64)
    values = bits.astype(np.uint16).view(np.float16).astype(np.float64)
    return bits - (values * reach > 65504)


def packed_tensor(rng: np.random.Generator, shape: tuple[int, int], *, affine: bool) -> PackedTensor:
    """Return random legal blocks: any code within the matrix, any legal scale, any zero point."""
    rows, cols = shape
    down, across = -(-rows // 64), -(-cols // 64)
    n = down * across
    zero_points = rng.integers(-128, 128, n) if affine else np.full(n, 8)
    scales = rng.integers(0x0400, _largest_scale_bits(zero_points) + 1).astype(np.uint16).view(np.float16)
    codes = np.zeros((down * 64, across * 64), np.uint8)
    codes[:rows, :cols] = rng.integers(0, 16, shape)
    blocks = codes.reshape(down, 64, across, 64).swapaxes(1, 2).reshape(n, 64, 64)
    return PackedTensor(shape, scales, zero_points.astype(np.int8) if affine else None, pack(blocks))


def raw_tensor(rng: np.random.Generator, shape: tuple[int, ...], dtype: Dtype) -> NDArray[np.floating]:
    """Return random finite values, from any bits: huge, subnormal, negative zero."""
    size, exponent = (2, 0x7C00) if dtype == "f16" else (4, 0x7F800000)
    bits = rng.integers(0, 1 << 8 * size, shape).astype(f"u{size}")
    bits[(bits & exponent) == exponent] ^= 1 << 8 * size - 2  # now finite
    return bits.view(f"f{size}")


def tensor(seed: int, dtype: Dtype, shape: tuple[int, ...]) -> Tensor:
    """Return a random tensor."""
    rng = np.random.default_rng(seed)
    if dtype in ("int4_affine", "int4_symmetric"):
        rows, cols = rows_cols(shape)
        return packed_tensor(rng, (rows, cols), affine=dtype == "int4_affine")
    return raw_tensor(rng, shape, dtype)


SEEDS = st.integers(0, 1 << 32)
ROWS = st.one_of(st.integers(1, 5), st.sampled_from([63, 64, 65, 128]), st.integers(1, 200))
COLS = st.one_of(st.integers(1, 5), st.sampled_from([63, 64, 65]), st.integers(1, 130))


@st.composite
def tensors(draw: st.DrawFn) -> Tensor:
    """Return a small tensor of any dtype."""
    dtype = draw(DTYPES)
    matrix = dtype.startswith("int4") or draw(st.booleans())
    shape = (draw(ROWS), draw(COLS)) if matrix else (draw(ROWS),)
    return tensor(draw(SEEDS), dtype, shape)


@st.composite
def layers(draw: st.DrawFn) -> Layer:
    """Return a layer of any legal kind."""
    rope = draw(st.booleans())
    temperature = None
    if not rope and draw(st.booleans()):
        temperature = Temperature(draw(st.floats(0, 1000)), draw(st.integers(1, 8192)))
    chunk = draw(st.none() | st.integers(1, 8192))
    attention = Attention(rope, rope and draw(st.booleans()), chunk, temperature)
    size = draw(st.integers(1, 66))
    moe = draw(st.none() | st.builds(MoE, st.integers(1, 3), st.integers(1, 40)))
    gated = moe is not None or draw(st.booleans())
    return Layer(attention, FFN(draw(st.sampled_from(["silu", "gelu"])), gated, size, moe))


@st.composite
def models(draw: st.DrawFn) -> Model:
    """Return a small model of any legal kind."""
    kv_heads = draw(st.integers(1, 2))
    stack = tuple(draw(st.lists(layers(), min_size=1, max_size=2)))
    return Model(
        vocab_size=draw(st.integers(1, 40)),
        hidden_size=draw(st.integers(1, 70)),
        num_heads=kv_heads * draw(st.integers(1, 2)),
        num_kv_heads=kv_heads,
        head_dim=2 * draw(st.integers(1, 4)),
        context_length=draw(st.integers(1, 1 << 20)),
        rms_norm_eps=draw(st.floats(1e-12, 1)),
        rope_pairing=draw(st.sampled_from(["interleaved", "halves"])),
        tied_embeddings=draw(st.booleans()),
        fp16_layers=draw(st.integers(0, len(stack))),
        layers=stack,
    )


def model_tensors(model: Model, seed: int) -> dict[str, Tensor]:
    """Return random tensors for a model, each in a dtype that its role allows."""
    rng = np.random.default_rng(seed)
    result: dict[str, Tensor] = {}
    for role in tensor_roles(model):
        dtype = role.dtypes[int(rng.integers(len(role.dtypes)))]
        result[role.name] = tensor(int(rng.integers(1 << 32)), dtype, role.shape)
    if "rope.inv_freq" in result:
        result["rope.inv_freq"] = np.float32(1) / rng.integers(1, 10000, model.head_dim // 2).astype("f4")
    return result


def least_limit(tensors: Mapping[str, Tensor]) -> int:
    """Return the smallest shard_limit with which every tensor can be stored."""
    least = 512
    for tensor in tensors.values():
        dtype: Dtype = (
            tensor.dtype if isinstance(tensor, PackedTensor) else "f16" if tensor.itemsize == 2 else "f32"
        )
        rows, cols = rows_cols(tuple(tensor.shape))
        unit = min(rows, 64) if isinstance(tensor, PackedTensor) else 1
        least = max(least, 256 + part_bytes(dtype, unit, cols))
    return least


# JSON values that canonical form preserves: no integer above 2^53 - 1, no float written as an integer.
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=6,
)
EXTRAS = st.none() | st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8), JSON_VALUES, max_size=3
)
_PRINTABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="*"), max_size=40
)
MODULES = st.none() | _PRINTABLE.map(lambda text: f"//: begin only\n// {text}\n//: end only\n".encode())
"""Modules of one section, which holds a comment."""

TOKENIZERS = st.none() | st.builds(
    TokenizerFiles,
    st.binary(min_size=1, max_size=40),
    st.none() | st.just(0),
    st.sampled_from([(), (0,)]),
    st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)


@st.composite
def packages(draw: st.DrawFn) -> Invented:
    """Return a package: arbitrary tensors or those of a model, cut into few or many shards."""
    model = draw(st.none() | models())
    if model is not None:
        contents = model_tensors(model, draw(SEEDS))
    else:
        contents = draw(st.dictionaries(NAMES, tensors(), min_size=1, max_size=4))
        contents = {name.lower(): value for name, value in contents.items()}
    module = draw(MODULES)
    program = None
    if model is not None and draw(st.booleans()):
        module = module_bytes()
        options_of_program = ProgramOptions(draw(st.integers(1, 9)), draw(st.sampled_from(["f16", "f32"])))
        program = program_maker(options_of_program)
    options = {
        "model": model,
        "stem": draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)),
        "shard_limit": least_limit(contents) + 256 * draw(st.sampled_from([0, 0, 1, 2]) | st.integers(0, 60)),
        "tokenizer": draw(TOKENIZERS),
        "module": module,
        "program": program,
        "extras": draw(EXTRAS),
    }
    return Invented(contents, options)
