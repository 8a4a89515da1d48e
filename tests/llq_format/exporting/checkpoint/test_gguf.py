"""GGUF files: values, the order of rows and refusals."""

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
import pytest
from gguf import GGMLQuantizationType as GgmlType

from llq_format.exporting.checkpoint import Checkpoint, CheckpointError, open_checkpoint

Arrays = dict[str, npt.NDArray[np.float32]]

V, H, HEADS, KV_HEADS, D, INTERMEDIATE, LAYERS = 40, 64, 4, 2, 16, 96, 2
METADATA: dict[str, Any] = {
    "general.name": "a tiny model",
    "llama.context_length": 2048,
    "llama.embedding_length": H,
    "llama.block_count": LAYERS,
    "llama.feed_forward_length": INTERMEDIATE,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.freq_base": 100000.0,
    "llama.rope.dimension_count": D,
    "llama.vocab_size": V,
}


def weights() -> Arrays:
    """Return the matrices and norms of a model by their GGUF names, rows in the order of Hugging Face."""
    layer = {
        "attn_norm": (H,),
        "attn_q": (HEADS * D, H),
        "attn_k": (KV_HEADS * D, H),
        "attn_v": (KV_HEADS * D, H),
        "attn_output": (H, HEADS * D),
        "ffn_norm": (H,),
        "ffn_gate": (INTERMEDIATE, H),
        "ffn_up": (INTERMEDIATE, H),
        "ffn_down": (H, INTERMEDIATE),
    }
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (V, H), "output_norm": (H,), "output": (V, H)}
    for n in range(LAYERS):
        shapes |= {f"blk.{n}.{name}": shape for name, shape in layer.items()}
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def permute(matrix: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Reorder rows as conversion to GGUF does."""
    halves = matrix.reshape(heads, 2, matrix.shape[0] // heads // 2, *matrix.shape[1:])
    return halves.swapaxes(1, 2).reshape(matrix.shape)


def as_stored(arrays: Arrays) -> Arrays:
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}
    return {
        name: permute(array, heads[name.split(".")[-1]]) if name.split(".")[-1] in heads else array
        for name, array in arrays.items()
    }


Stored = dict[str, tuple[npt.NDArray[Any], GgmlType | None]]


def write(
    path: Path, tensors: Stored, *, architecture: str = "llama", endian: Any = None, **changes: Any
) -> Path:
    """Write a file with the metadata above, changed; `__` is `.` in keys, and the value ... omits one."""
    writer = gguf.GGUFWriter(path, architecture, endianess=endian or gguf.GGUFEndian.LITTLE)
    metadata = METADATA | {key.replace("__", "."): value for key, value in changes.items()}
    for key, value in metadata.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif value is not ...:
            writer.add_uint32(key, value)
    for name, (array, kind) in tensors.items():
        writer.add_tensor(f"{name}.weight", array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def plain(arrays: Arrays) -> Stored:
    return {name: (array, None) for name, array in as_stored(arrays).items()}


def opened(tmp_path: Path, tensors: Stored | None = None, **changes: Any) -> Checkpoint:
    tensors = plain(weights()) if tensors is None else tensors
    return open_checkpoint(write(tmp_path / "m.gguf", tensors, **changes), tokenizer=False)


def check_all(checkpoint: Checkpoint, arrays: Arrays) -> None:
    def assert_loads(name: str, *parts: str) -> None:
        actual = checkpoint.load(name)
        assert actual.dtype == np.float32
        assert actual.flags.c_contiguous
        np.testing.assert_array_equal(actual, np.concatenate([arrays[part] for part in parts]))

    assert_loads("embedding", "token_embd")
    for n in range(LAYERS):
        ours, theirs = f"layers.{n}", f"blk.{n}"
        assert_loads(f"{ours}.attention_norm", f"{theirs}.attn_norm")
        assert_loads(f"{ours}.attention.qkv", *(f"{theirs}.attn_{x}" for x in "qkv"))
        assert_loads(f"{ours}.attention.output", f"{theirs}.attn_output")
        assert_loads(f"{ours}.ffn_norm", f"{theirs}.ffn_norm")
        assert_loads(f"{ours}.ffn.gate_up", f"{theirs}.ffn_gate", f"{theirs}.ffn_up")
        assert_loads(f"{ours}.ffn.down", f"{theirs}.ffn_down")
    assert_loads("norm", "output_norm")
    if "output" in arrays:
        assert_loads("lm_head", "output")


def test_permutation_of_one_head() -> None:
    """The formula above is correct: the halves of a head become neighbours."""
    assert permute(np.arange(8)[:, None], 1)[:, 0].tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_float32_file(tmp_path: Path) -> None:
    with opened(tmp_path) as checkpoint:
        check_all(checkpoint, weights())
        assert checkpoint.tokenizer is None
        assert checkpoint.provenance == {
            "format": "gguf",
            "architecture": "llama",
            "tensor_types": {"F32": len(weights())},
        }


def test_model_object_is_complete(tmp_path: Path) -> None:
    layer = {
        "attention": {"rope": True, "qk_norm": False, "chunk_size": None, "temperature": None},
        "ffn": {"activation": "silu", "gated": True, "intermediate_size": INTERMEDIATE, "moe": None},
    }
    with opened(tmp_path) as checkpoint:
        assert checkpoint.model == {
            "vocab_size": V,
            "hidden_size": H,
            "num_heads": HEADS,
            "num_kv_heads": KV_HEADS,
            "head_dim": D,
            "context_length": 2048,
            "rms_norm_eps": 1e-5,  # not 9.99999974737875e-06, which is what the file's binary32 is exactly
            "rope_pairing": "halves",
            "tied_embeddings": False,
            "activations": {"fp16_layers": 2},
            "layers": [layer] * LAYERS,
        }


def test_file_without_output_is_tied(tmp_path: Path) -> None:
    arrays = weights()
    del arrays["output"]
    with opened(tmp_path, plain(arrays)) as checkpoint:
        assert checkpoint.model["tied_embeddings"] is True
        check_all(checkpoint, arrays)
        with pytest.raises(KeyError):
            checkpoint.load("lm_head")


def test_optional_keys(tmp_path: Path) -> None:
    absent: dict[str, Any] = {
        "llama__vocab_size": ...,
        "llama__rope__dimension_count": ...,
        "llama__rope__freq_base": ...,
    }
    with opened(tmp_path, **absent) as checkpoint:
        assert checkpoint.model["vocab_size"] == V
        assert checkpoint.load("rope.inv_freq")[D // 4] == np.float32(0.01)


def test_head_wider_than_its_share_of_the_hidden_size(tmp_path: Path) -> None:
    arrays = weights()
    for n in range(LAYERS):
        arrays[f"blk.{n}.attn_q"] = np.zeros((HEADS * 24, H), np.float32)
        arrays[f"blk.{n}.attn_k"] = np.zeros((KV_HEADS * 24, H), np.float32)
        arrays[f"blk.{n}.attn_v"] = np.zeros((KV_HEADS * 24, H), np.float32)
        arrays[f"blk.{n}.attn_output"] = np.zeros((H, HEADS * 24), np.float32)
    keys = ("attention__key_length", "attention__value_length", "rope__dimension_count")
    with opened(tmp_path, plain(arrays), **{f"llama__{key}": 24 for key in keys}) as checkpoint:
        assert checkpoint.model["head_dim"] == 24
        check_all(checkpoint, arrays)


@pytest.mark.parametrize("name", ["F16", "BF16"])
def test_halves_are_read_exactly(tmp_path: Path, name: str) -> None:
    tensors: Stored = {}
    expected: Arrays = {}
    for key, array in weights().items():
        if array.ndim == 1:
            expected[key], tensors[key] = array, (array, None)
        elif name == "F16":
            expected[key] = array.astype(np.float16).astype(np.float32)
            tensors[key] = (as_stored({key: array.astype(np.float16)})[key], None)
        else:
            bits = array.view(np.uint32) & np.uint32(0xFFFF0000)
            expected[key] = bits.view(np.float32)
            halves = as_stored({key: expected[key]})[key].view(np.uint32) >> 16
            tensors[key] = (halves.astype(np.uint16).view(np.uint8), GgmlType.BF16)
    with opened(tmp_path, tensors) as checkpoint:
        check_all(checkpoint, expected)
        assert set(checkpoint.provenance["tensor_types"]) == {name, "F32"}


def half(raw: bytes) -> float:
    return float(struct.unpack("<e", raw)[0])


def decode_block(raw: bytes, kind: GgmlType) -> list[float]:
    """Return the 32 values of one ggml block; nibbles are split into halves: low ones first."""
    scale = half(raw[:2])
    if kind == GgmlType.Q8_0:
        return [scale * q for q in struct.unpack("<32b", raw[2:])]
    packed = raw[2:] if kind == GgmlType.Q4_0 else raw[4:]
    codes = [byte & 15 for byte in packed] + [byte >> 4 for byte in packed]
    if kind == GgmlType.Q4_0:
        return [scale * (q - 8) for q in codes]
    return [scale * q + half(raw[2:4]) for q in codes]


@pytest.mark.parametrize(("kind", "size"), [(GgmlType.Q8_0, 34), (GgmlType.Q4_0, 18), (GgmlType.Q4_1, 20)])
def test_quantized_matrices(tmp_path: Path, kind: GgmlType, size: int) -> None:
    rng = np.random.default_rng(3)
    tensors: Stored = {}
    expected: Arrays = {}
    for key, array in weights().items():
        if array.ndim == 1:
            expected[key], tensors[key] = array, (array, None)
            continue
        rows, blocks = array.shape[0], array.shape[1] // 32
        raw = rng.integers(0, 256, (rows, blocks, size), np.uint8)
        raw[..., :2] = rng.integers(1, 64, (rows, blocks, 1)).astype(np.float16).view(np.uint8)
        if kind == GgmlType.Q4_1:
            raw[..., 2:4] = rng.integers(-64, 64, (rows, blocks, 1)).astype(np.float16).view(np.uint8)
        values = [[x for block in row for x in decode_block(block.tobytes(), kind)] for row in raw]
        expected[key] = np.array(values, np.float32)
        tensors[key] = (as_stored({key: raw.reshape(rows, -1)})[key], kind)
    with opened(tmp_path, tensors) as checkpoint:
        check_all(checkpoint, expected)


def frequencies(divisors: list[float] | float, base: float = 100000.0) -> list[np.float32]:
    divisor = divisors if isinstance(divisors, list) else [divisors] * (D // 2)
    return [np.float32(base ** (-2 * i / D) / divisor[i]) for i in range(D // 2)]


def test_frequencies_of_the_base(tmp_path: Path) -> None:
    with opened(tmp_path) as checkpoint:
        assert checkpoint.load("rope.inv_freq").tolist() == frequencies(1)


def test_linear_scaling(tmp_path: Path) -> None:
    scaling: dict[str, Any] = {"llama__rope__scaling__type": "linear", "llama__rope__scaling__factor": 4.0}
    with opened(tmp_path, **scaling) as checkpoint:
        assert checkpoint.load("rope.inv_freq").tolist() == frequencies(4)


def test_linear_scaling_of_an_old_file(tmp_path: Path) -> None:
    with opened(tmp_path, llama__rope__scale_linear=2.0) as checkpoint:
        assert checkpoint.load("rope.inv_freq").tolist() == frequencies(2)


def test_llama3_scaling_is_a_tensor_of_divisors(tmp_path: Path) -> None:
    divisors = [1.0, 1.0, 1.0, 2.5, 4.0, 8.0, 8.0, 8.0]
    tensors = plain(weights()) | {"rope_freqs": (np.array(divisors, np.float32), None)}
    with opened(tmp_path, tensors) as checkpoint:
        assert checkpoint.load("rope.inv_freq").tolist() == frequencies(divisors)


@pytest.mark.parametrize("divisor", [0.0, -1.0, 0.5, float("nan"), float("inf")])
def test_divisors_that_make_no_frequencies_are_refused(tmp_path: Path, divisor: float) -> None:
    tensors = plain(weights()) | {"rope_freqs": (np.full(D // 2, divisor, np.float32), None)}
    with pytest.raises(CheckpointError, match=r"m\.gguf: tensor rope_freqs\.weight divides RoPE frequencies"):
        opened(tmp_path, tensors)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "gemma3"},
            r"m\.gguf: general\.architecture is 'gemma3'; supported are 'llama', 'qwen2', 'qwen3'",
        ),
        ({"split__count": 3}, r"split\.count is above 1: merge the files first"),
        ({"llama__expert_count": 8}, r"llama\.expert_count is not 0"),
        ({"llama__logit_scale": 0.5}, r"llama\.logit_scale is unknown"),
        ({"llama__rope__scaling__type": "yarn"}, r"llama\.rope\.scaling\.type is 'yarn'"),
        ({"llama__rope__dimension_count": 8}, r"llama\.rope\.dimension_count is 8, but the head width is 16"),
        ({"llama__attention__value_length": 8}, r"llama\.attention\.value_length is 8"),
        (
            {"llama__attention__head_count": [4, 4]},
            r"llama\.attention\.head_count is \[4, 4\], not an integer",
        ),
        ({"llama__block_count": 3}, r"tensor blk\.2\.attn_norm\.weight not found"),
        ({"llama__block_count": 1}, r"tensor blk\.1\..*\.weight is unknown"),
        ({"llama__block_count": ...}, r"llama\.block_count is missing"),
        (
            {"llama__vocab_size": 41},
            r"token_embd\.weight has shape \[40, 64\], but its configuration .* \[41, 64\]",
        ),
        ({"llama__attention__layer_norm_rms_epsilon": float("nan")}, "rms_epsilon is nan"),
        ({"endian": gguf.GGUFEndian.BIG}, "is big-endian"),
    ],
)
def test_unsupported_metadata_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        opened(tmp_path, **changes)


def test_unsupported_type_is_named(tmp_path: Path) -> None:
    tensors = plain(weights())
    tensors["token_embd"] = (np.zeros((V, H // 32 * 22), np.uint8), GgmlType.Q5_0)
    with pytest.raises(
        CheckpointError, match=r"m\.gguf: tensor token_embd\.weight has type Q5_0; supported are BF16"
    ):
        opened(tmp_path, tensors)


def test_tensor_that_llq_has_no_place_for_is_named(tmp_path: Path) -> None:
    tensors = plain(weights()) | {"blk.0.attn_q_norm": (np.ones(D, np.float32), None)}
    with pytest.raises(CheckpointError, match=r"blk\.0\.attn_q_norm\.weight is unknown"):
        opened(tmp_path, tensors)


def test_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    raw = write(tmp_path / "m.gguf", plain(weights())).read_bytes()
    cut = tmp_path / "cut.gguf"
    for length in [*range(0, 2500, 13), *range(2500, len(raw), 9973), len(raw) - 1]:
        cut.write_bytes(raw[:length])
        with pytest.raises(CheckpointError, match=r"cut\.gguf"):
            open_checkpoint(cut, tokenizer=False)


def key_value(kind: int, payload: bytes) -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + struct.pack("<Q1sI", 1, b"x", kind) + payload


@pytest.mark.parametrize(
    "raw",
    [
        key_value(9, struct.pack("<IQ", 0, 2**60)),  # an array of bytes
        key_value(9, struct.pack("<IQ", 8, 2**63)),  # an array of strings
        key_value(8, struct.pack("<Q", 2**62)),  # a string
        key_value(9, struct.pack("<IQ", 9, 2**20) * 50),  # arrays in arrays
        key_value(9, struct.pack("<IQ", 9, 1) * 5000),
        key_value(77, b""),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 2**64 - 1),
        struct.pack("<4sIQQ", b"GGUF", 3, 2**64 - 1, 0),
        struct.pack("<4sIQQQ1sI", b"GGUF", 3, 1, 0, 1, b"x", 2**32 - 1),  # number of dimensions of a tensor
        struct.pack("<4sIQQQ1sIQQIQ", b"GGUF", 3, 1, 0, 1, b"x", 2, 2**32, 2**32, 0, 0),  # product wraps to 0
        struct.pack("<4sIQQQ1sIQIQ", b"GGUF", 3, 1, 0, 1, b"x", 1, 2**62, 0, 0),
        struct.pack("<4sIQQQ1sIQIQ", b"GGUF", 3, 1, 0, 1, b"x", 1, 32, 0, 2**64 - 1),
        struct.pack("<4sI", b"GGUF", 99),
        b"GGML" + bytes(64),
        b"",
    ],
)
def test_malicious_header_is_refused_at_once(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"m\.gguf"):
            open_checkpoint(path, tokenizer=False)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_array_that_fills_a_long_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llq_format.exporting.checkpoint.gguf_file._MOST_READS", 1000)
    path = tmp_path / "m.gguf"
    path.write_bytes(key_value(9, struct.pack("<IQ", 0, 5000)) + bytes(5000))
    with pytest.raises(CheckpointError, match=r"m\.gguf: has a header of more than 1000 fields"):
        open_checkpoint(path, tokenizer=False)


def test_loading_needs_memory_for_one_tensor(tmp_path: Path) -> None:
    rows = 2**17
    tensors = plain(weights())
    del tensors["output"]
    tensors["token_embd"] = (np.zeros((rows, H // 32 * 34), np.uint8), GgmlType.Q8_0)
    with opened(tmp_path, tensors, llama__vocab_size=rows) as checkpoint:
        tracemalloc.start()
        try:
            embedding = checkpoint.load("embedding")
            assert tracemalloc.get_traced_memory()[1] < embedding.nbytes + 2**24
        finally:
            tracemalloc.stop()
    assert not embedding.any()
