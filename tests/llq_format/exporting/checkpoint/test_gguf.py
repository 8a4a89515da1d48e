"""GGUF files: values, the order of rows and refusals."""

import struct
import tracemalloc
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as GgmlType

from llq_format.exporting.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from llq_format.exporting.checkpoint.gguf_file import GgufFile
from tests.support.gguf_files import (
    HEADS,
    INTERMEDIATE,
    KV_HEADS,
    LAYERS,
    Arrays,
    D,
    H,
    Stored,
    V,
    as_stored,
    permute,
    plain,
    weights,
    write,
)


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
            {"architecture": "nonesuch"},
            r"m\.gguf: general\.architecture is 'nonesuch'; supported are 'granite', ",
        ),
        (
            {"architecture": "starcoder2"},
            r"m\.gguf: general\.architecture is 'starcoder2', but LLQ has no rule for layer norms and biases",
        ),
        ({"architecture": "gptneox"}, r"is 'gptneox', but LLQ has no rule for layer norms"),
        ({"split__count": 3}, r"split\.count is 3, but the name denotes 1 file"),
        ({"llama__expert_count": 8}, r"llama\.expert_count is 8, but LLQ has no rule for mixtures"),
        (
            {"llama__attention__sliding_window": 4},
            r"attention\.sliding_window is 4, shorter than the context of 2048",
        ),
        (
            {"llama__attention__clamp_kqv": 8.0},
            r"attention\.clamp_kqv is 8\.0, but LLQ has no rule for limits",
        ),
        (
            {"llama__final_logit_softcapping": 30.0},
            r"softcapping is 30\.0, but LLQ has no rule for soft caps",
        ),
        ({"llama__logit_scale": 0.5}, r"llama\.logit_scale is unknown"),
        ({"llama__rope__scaling__type": "longrope"}, r"llama\.rope\.scaling\.type is 'longrope'"),
        ({"llama__rope__scaling__type": "yarn"}, r"llama\.rope\.scaling\.factor is missing"),
        ({"llama__rope__dimension_count": 8}, r"llama\.rope\.dimension_count is 8, but the head width is 16"),
        ({"llama__attention__value_length": 8}, r"llama\.attention\.value_length is 8"),
        (
            {"llama__attention__head_count_kv": [2, 1]},
            r"llama\.attention\.head_count_kv is \[2, 1\], but LLQ requires the same value in all 2 layers",
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


def test_header_of_many_strings_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llq_format.exporting.checkpoint.gguf_file._MOST_STRINGS", 1000)
    path = tmp_path / "m.gguf"
    path.write_bytes(key_value(9, struct.pack("<IQ", 8, 5000)) + bytes(40000))
    with pytest.raises(CheckpointError, match=r"m\.gguf: has a header of more than 1000 strings"):
        open_checkpoint(path, tokenizer=False)


def test_header_of_many_keys_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llq_format.exporting.checkpoint.gguf_file._MOST_READS", 1000)
    keys = b"".join(struct.pack("<Q4sIB", 4, b"%04d" % n, 0, 1) for n in range(400))
    path = tmp_path / "m.gguf"
    path.write_bytes(struct.pack("<4sIQQ", b"GGUF", 3, 0, 400) + keys)
    with pytest.raises(CheckpointError, match=r"m\.gguf: has a header of more than 1000 fields"):
        open_checkpoint(path, tokenizer=False)


@pytest.mark.parametrize(("kind", "size"), [(0, 1), (5, 4), (7, 1)], ids=["u8", "i32", "bool"])
def test_long_arrays_are_read_in_one_piece(tmp_path: Path, kind: int, size: int) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(key_value(9, struct.pack("<IQ", kind, 2**22 // size)) + bytes(2**22))
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"general\.architecture is missing"):
            open_checkpoint(path, tokenizer=False)
        assert tracemalloc.get_traced_memory()[1] < 2**27  # a list of 2²² small numbers takes 2²⁵ bytes
    finally:
        tracemalloc.stop()


def test_arrays_of_strings_are_read(tmp_path: Path) -> None:
    texts = ["", "a", "\u65e5\u672c", "x" * 300]
    path = write(tmp_path / "m.gguf", plain(weights()), general__tags=texts)
    assert GgufFile(path).metadata.values["general.tags"] == texts


@pytest.mark.parametrize("name", ["sha256-0123abcd", "MODEL.GGUF", "model.bin"])
def test_a_file_is_recognised_by_its_first_bytes(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, plain(weights()))
    with open_checkpoint(path, tokenizer=False) as checkpoint:
        check_all(checkpoint, weights())


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(CheckpointError, match=r"model\.bin: not a GGUF file"):
        open_checkpoint(path)


NEUTRAL: list[dict[str, Any]] = [
    {"llama__attention__head_count_kv": [KV_HEADS] * LAYERS},
    {"llama__attention__head_count": [HEADS] * LAYERS},
    {"llama__feed_forward_length": [INTERMEDIATE] * LAYERS},
    {"llama__rope__scaling__attn_factor": 1.0},
    {"llama__expert_count": 0, "llama__expert_used_count": 0},
    {"llama__attention__sliding_window": 0},
    {"llama__attention__sliding_window": 2048},
    {"llama__attention__scale": 0.0},
    {"llama__logit_scale": 1.0, "llama__residual_scale": 0.0, "llama__embedding_scale": 1.0},
    {"llama__attn_logit_softcapping": 0.0},
    {"llama__attention__causal": True},
]


@pytest.mark.parametrize("changes", NEUTRAL, ids=lambda changes: str(next(iter(changes))))
def test_neutral_values_change_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    with opened(tmp_path) as reference:
        model = reference.model
    with opened(tmp_path, **changes) as checkpoint:
        assert checkpoint.model == model
        check_all(checkpoint, weights())


def test_layers_may_have_different_widths(tmp_path: Path) -> None:
    arrays = weights()
    for name in ("ffn_gate", "ffn_up"):
        arrays[f"blk.1.{name}"] = arrays[f"blk.1.{name}"][:32]
    arrays["blk.1.ffn_down"] = np.ascontiguousarray(arrays["blk.1.ffn_down"][:, :32])
    with opened(tmp_path, plain(arrays), llama__feed_forward_length=[INTERMEDIATE, 32]) as checkpoint:
        assert [layer["ffn"]["intermediate_size"] for layer in checkpoint.model["layers"]] == [96, 32]
        check_all(checkpoint, arrays)


def test_biases_of_zero_are_accepted_and_others_refused(tmp_path: Path) -> None:
    bias = np.zeros(HEADS * D, np.float32)
    path = write(tmp_path / "m.gguf", plain(weights()), biases={"blk.0.attn_q": bias})
    with open_checkpoint(path, tokenizer=False) as checkpoint:
        check_all(checkpoint, weights())
    bias[5] = 1e-8
    path = write(tmp_path / "m.gguf", plain(weights()), biases={"blk.0.attn_q": bias})
    message = r"blk\.0\.attn_q\.bias has values other than 0, but LLQ has no rule"
    with pytest.raises(CheckpointError, match=message):
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
