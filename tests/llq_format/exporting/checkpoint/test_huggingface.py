"""Hugging Face directories: `load` returns the values of the files, and errors name the cause."""

import json
import math
import struct
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from llq_format.exporting.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from tests.support.checkpoint_files import Arrays, write_bin, write_safetensors

V, H, HEADS, KV_HEADS, D, INTERMEDIATE, LAYERS = 24, 20, 4, 2, 6, 28, 3
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": V,
    "hidden_size": H,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": D,
    "intermediate_size": INTERMEDIATE,
    "num_hidden_layers": LAYERS,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "attention_bias": False,
}


def shapes(*, tied: bool = False) -> dict[str, tuple[int, ...]]:
    """Return the tensors of a checkpoint with CONFIG, as transformers writes them."""
    layer = {
        "input_layernorm": (H,),
        "self_attn.q_proj": (HEADS * D, H),
        "self_attn.k_proj": (KV_HEADS * D, H),
        "self_attn.v_proj": (KV_HEADS * D, H),
        "self_attn.o_proj": (H, HEADS * D),
        "post_attention_layernorm": (H,),
        "mlp.gate_proj": (INTERMEDIATE, H),
        "mlp.up_proj": (INTERMEDIATE, H),
        "mlp.down_proj": (H, INTERMEDIATE),
    }
    tensors: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (V, H), "model.norm.weight": (H,)}
    for n in range(LAYERS):
        tensors |= {f"model.layers.{n}.{name}.weight": shape for name, shape in layer.items()}
    return tensors if tied else tensors | {"lm_head.weight": (V, H)}


def weights(*, tied: bool = False) -> Arrays:
    rng = np.random.default_rng(1)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes(tied=tied).items()}


def write_config(directory: Path, **changes: Any) -> None:
    config = CONFIG | changes
    for key in [key for key, value in config.items() if value is ...]:
        del config[key]
    (directory / "config.json").write_text(json.dumps(config))


def directory_with(tmp_path: Path, arrays: Arrays, dtype: str = "F32", **changes: Any) -> Path:
    write_config(tmp_path, **changes)
    write_safetensors(tmp_path / "model.safetensors", arrays, dtype)
    return tmp_path


def check_all(checkpoint: Checkpoint, arrays: Arrays, *, tied: bool = False) -> None:
    """Compare every tensor with the arrays that were written."""

    def assert_loads(name: str, *parts: str) -> None:
        actual = checkpoint.load(name)
        assert actual.dtype == np.float32
        assert actual.flags.c_contiguous
        np.testing.assert_array_equal(actual, np.concatenate([arrays[f"{part}.weight"] for part in parts]))

    assert_loads("embedding", "model.embed_tokens")
    for n in range(LAYERS):
        ours, theirs = f"layers.{n}", f"model.layers.{n}"
        assert_loads(f"{ours}.attention_norm", f"{theirs}.input_layernorm")
        assert_loads(f"{ours}.attention.qkv", *(f"{theirs}.self_attn.{x}_proj" for x in "qkv"))
        assert_loads(f"{ours}.attention.output", f"{theirs}.self_attn.o_proj")
        assert_loads(f"{ours}.ffn_norm", f"{theirs}.post_attention_layernorm")
        assert_loads(f"{ours}.ffn.gate_up", f"{theirs}.mlp.gate_proj", f"{theirs}.mlp.up_proj")
        assert_loads(f"{ours}.ffn.down", f"{theirs}.mlp.down_proj")
    assert_loads("norm", "model.norm")
    if tied:
        with pytest.raises(KeyError):
            checkpoint.load("lm_head")
    else:
        assert_loads("lm_head", "lm_head")


def test_float32_directory(tmp_path: Path) -> None:
    arrays = weights()
    with open_checkpoint(directory_with(tmp_path, arrays)) as checkpoint:
        check_all(checkpoint, arrays)
        assert checkpoint.tokenizer is None
        assert checkpoint.provenance == {
            "format": "safetensors",
            "architecture": "llama",
            "tensor_types": {"F32": len(arrays)},
        }


def test_model_object_is_complete(tmp_path: Path) -> None:
    layer = {
        "attention": {"rope": True, "qk_norm": False, "chunk_size": None, "temperature": None},
        "ffn": {"activation": "silu", "gated": True, "intermediate_size": INTERMEDIATE, "moe": None},
    }
    with open_checkpoint(directory_with(tmp_path, weights())) as checkpoint:
        assert checkpoint.model == {
            "vocab_size": V,
            "hidden_size": H,
            "num_heads": HEADS,
            "num_kv_heads": KV_HEADS,
            "head_dim": D,
            "context_length": 512,
            "rms_norm_eps": 1e-5,
            "rope_pairing": "halves",
            "tied_embeddings": False,
            "activations": {"fp16_layers": 2},
            "layers": [layer] * LAYERS,
        }


def test_layers_of_the_model_object_are_separate_objects(tmp_path: Path) -> None:
    with open_checkpoint(directory_with(tmp_path, weights())) as checkpoint:
        checkpoint.model["layers"][0]["ffn"]["activation"] = "gelu"
        assert checkpoint.model["layers"][1]["ffn"]["activation"] == "silu"


def test_inverse_frequencies_are_those_of_the_base(tmp_path: Path) -> None:
    with open_checkpoint(directory_with(tmp_path, weights())) as checkpoint:
        actual = checkpoint.load("rope.inv_freq")
    assert actual.dtype == np.float32
    assert actual.tolist() == [np.float32(math.pow(10000.0, -2 * i / D)) for i in range(D // 2)]


def test_float16_is_read_exactly(tmp_path: Path) -> None:
    arrays = {name: array.astype(np.float16) for name, array in weights().items()}
    with open_checkpoint(directory_with(tmp_path, arrays, "F16")) as checkpoint:
        check_all(checkpoint, arrays)
        assert checkpoint.provenance["tensor_types"] == {"F16": len(arrays)}


def test_bfloat16_is_read_exactly(tmp_path: Path) -> None:
    halves = {name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in weights().items()}
    expected = {}
    for name, array in halves.items():
        values = [
            struct.unpack("<f", b"\0\0" + struct.pack("<H", half))[0] for half in array.ravel().tolist()
        ]
        expected[name] = np.array(values, np.float32).reshape(array.shape)
    with open_checkpoint(directory_with(tmp_path, halves, "BF16")) as checkpoint:
        check_all(checkpoint, expected)


def test_bfloat16_keeps_zeros_infinities_and_subnormals(tmp_path: Path) -> None:
    halves = {name: np.zeros(shape, np.uint16) for name, shape in shapes().items()}
    halves["model.norm.weight"][:5] = [0x0000, 0x8000, 0x7F80, 0x0001, 0x7FC0]
    with open_checkpoint(directory_with(tmp_path, halves, "BF16")) as checkpoint:
        norm = checkpoint.load("norm")
    assert norm[:4].view(np.uint32).tolist() == [0, 0x80000000, 0x7F800000, 0x00010000]
    assert np.isnan(norm[4])


def test_tied_checkpoint_has_no_lm_head(tmp_path: Path) -> None:
    arrays = weights(tied=True)
    with open_checkpoint(directory_with(tmp_path, arrays, tie_word_embeddings=True)) as checkpoint:
        assert checkpoint.model["tied_embeddings"] is True
        check_all(checkpoint, arrays, tied=True)


def test_copy_of_a_tied_embedding_is_left_out(tmp_path: Path) -> None:
    arrays = weights() | {"lm_head.weight": weights()["model.embed_tokens.weight"]}
    with open_checkpoint(directory_with(tmp_path, arrays, tie_word_embeddings=True)) as checkpoint:
        check_all(checkpoint, arrays, tied=True)


def test_frequencies_stored_as_a_buffer_are_left_out(tmp_path: Path) -> None:
    arrays = weights() | {"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(D // 2, np.float32)}
    with open_checkpoint(directory_with(tmp_path, arrays)) as checkpoint:
        check_all(checkpoint, weights())


def test_defaults_of_an_old_configuration(tmp_path: Path) -> None:
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes().items()}
    for name in arrays:
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
            arrays[name] = np.zeros((H, H), np.float32)
        if name.endswith("o_proj.weight"):
            arrays[name] = np.zeros((H, H), np.float32)
    absent: dict[str, Any] = dict.fromkeys(
        ("head_dim", "num_key_value_heads", "rope_theta", "attention_bias", "architectures"),
        ...,
    )
    with open_checkpoint(directory_with(tmp_path, arrays, num_attention_heads=5, **absent)) as checkpoint:
        assert checkpoint.model["num_kv_heads"] == 5
        assert checkpoint.model["head_dim"] == H // 5
        assert checkpoint.load("rope.inv_freq")[1] == np.float32(10000.0**-0.5)


def test_null_counts_as_absent(tmp_path: Path) -> None:
    directory = directory_with(tmp_path, weights(), rope_scaling=None, quantization_config=None)
    with open_checkpoint(directory) as checkpoint:
        check_all(checkpoint, weights())


def test_gelu_is_supported(tmp_path: Path) -> None:
    with open_checkpoint(directory_with(tmp_path, weights(), hidden_act="gelu")) as checkpoint:
        assert checkpoint.model["layers"][2]["ffn"]["activation"] == "gelu"


def write_shards(
    directory: Path, arrays: Arrays, write: Callable[[Path, Arrays], None], stem: str, end: str
) -> Path:
    """Spread the tensors over three files in turn, and write the index; returns the index."""
    weight_map: dict[str, str] = {}
    for i in range(3):
        file = f"{stem}-{i + 1:05}-of-00003.{end}"
        part = {name: arrays[name] for name in list(arrays)[i::3]}
        write(directory / file, part)
        weight_map |= dict.fromkeys(part, file)
    index = directory / f"{stem}.{end}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


def test_sharded_directory(tmp_path: Path) -> None:
    write_config(tmp_path)
    write_shards(tmp_path, weights(), write_safetensors, "model", "safetensors")
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, weights())


def test_missing_shard_is_named(tmp_path: Path) -> None:
    write_config(tmp_path)
    write_shards(tmp_path, weights(), write_safetensors, "model", "safetensors")
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003\.safetensors not found"):
        open_checkpoint(tmp_path)


def test_index_that_promises_too_much_is_named(tmp_path: Path) -> None:
    write_config(tmp_path)
    index = write_shards(tmp_path, weights(), write_safetensors, "model", "safetensors")
    value = json.loads(index.read_text())
    value["weight_map"]["model.norm.weight"] = "model-00001-of-00003.safetensors"
    index.write_text(json.dumps(value))
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight not found in model-00001-of-00003"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "a\\b", 3, None])
def test_index_cannot_name_files_elsewhere(tmp_path: Path, file: object) -> None:
    write_config(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"x": file}}))
    with pytest.raises(CheckpointError, match="not the name of a file in the directory"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "index", ["{}", '{"weight_map": {}}', '{"weight_map": []}', "[]", "{", "\xff", "[" * 100000]
)
def test_broken_index(tmp_path: Path, index: str) -> None:
    write_config(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(index, encoding="latin-1")
    with pytest.raises(CheckpointError, match=r"index\.json"):
        open_checkpoint(tmp_path)


def test_missing_tensor_is_named(tmp_path: Path) -> None:
    arrays = weights()
    del arrays["model.layers.1.mlp.up_proj.weight"]
    with pytest.raises(CheckpointError, match=r"tensor model\.layers\.1\.mlp\.up_proj\.weight not found"):
        open_checkpoint(directory_with(tmp_path, arrays))


def test_wrong_shape_is_named(tmp_path: Path) -> None:
    arrays = weights()
    arrays["model.layers.1.mlp.up_proj.weight"] = np.zeros((INTERMEDIATE, H + 1), np.float32)
    message = (
        rf"model\.safetensors: tensor model\.layers\.1\.mlp\.up_proj\.weight has shape \[{INTERMEDIATE}, 21\]"
    )
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(directory_with(tmp_path, arrays))


def test_unsupported_type_is_named(tmp_path: Path) -> None:
    arrays = {name: array.astype(np.int32) for name, array in weights().items()}
    with pytest.raises(CheckpointError, match=r"has type I32; supported are BF16, F16, F32, F64"):
        open_checkpoint(directory_with(tmp_path, arrays, "I32"))


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_double_precision_is_rounded(tmp_path: Path, form: str) -> None:
    arrays = {name: array.astype(np.float64) * (1 + 2.0**-40) for name, array in weights().items()}
    write_config(tmp_path)
    if form == "bin":
        write_bin(tmp_path / "pytorch_model.bin", arrays)
    else:
        write_safetensors(tmp_path / "model.safetensors", arrays, "F64")
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, {name: array.astype(np.float32) for name, array in arrays.items()})


def test_tensor_that_llq_has_no_place_for_is_named(tmp_path: Path) -> None:
    arrays = weights() | {"model.layers.0.self_attn.q_norm.weight": np.ones(D, np.float32)}
    with pytest.raises(CheckpointError, match=r"q_norm\.weight is unknown in a llama model"):
        open_checkpoint(directory_with(tmp_path, arrays))


@pytest.mark.parametrize("announced", [True, False])
def test_biases_of_zero_are_accepted_and_others_refused(tmp_path: Path, *, announced: bool) -> None:
    name = "model.layers.0.self_attn.q_proj.bias"
    bias = np.zeros(HEADS * D, np.float32)
    arrays = weights()
    with open_checkpoint(
        directory_with(tmp_path, arrays | {name: bias}, attention_bias=announced)
    ) as checkpoint:
        check_all(checkpoint, arrays)
    bias[3] = 1e-30
    with pytest.raises(
        CheckpointError, match=r"q_proj\.bias has values other than 0, but LLQ has no rule for it"
    ):
        open_checkpoint(directory_with(tmp_path, arrays | {name: bias}, attention_bias=announced))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "nonesuch"}, r"config\.json: model_type is 'nonesuch'; supported are 'ernie4_5', "),
        (
            {"model_type": "seed_oss"},
            r"config\.json: model_type is 'seed_oss', but LLQ has no rule for biases of q, k and v",
        ),
        ({"model_type": "gemma2"}, r"no rule for .*soft caps of scores and logits, .* and sliding windows"),
        ({"model_type": ...}, r"config\.json: model_type is missing"),
        (
            {"architectures": ["LlamaForSequenceClassification"]},
            "architectures is .*LlamaForSequenceClassification",
        ),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config .*already quantized"),
        ({"attention_bias": True}, "attention_bias is true"),
        ({"mlp_bias": True}, "mlp_bias is true"),
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'; supported are 'silu'"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, r"rope_scaling\.type is 'dynamic'"),
        ({"rope_scaling": {"rope_type": "longrope"}}, r"rope_scaling\.short_factor is not an array"),
        ({"rope_parameters": {"rope_type": "longrope"}}, r"rope_parameters\.short_factor is not an array"),
        ({"rope_scaling": {"rope_type": "linear"}}, r"rope_scaling\.factor is missing"),
        ({"rope_scaling": "linear"}, "rope_scaling is 'linear', not an object"),
        ({"rope_theta": 0}, "rope_theta is 0, not a number"),
        ({"rope_theta": float("nan")}, "rope_theta is nan, not a number"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor is not 1"),
        ({"hidden_size": ...}, "hidden_size is missing"),
        ({"hidden_size": "20"}, "hidden_size is '20', not an integer"),
        ({"hidden_size": True}, "hidden_size is True, not an integer"),
        ({"hidden_size": 20.0}, r"hidden_size is 20\.0, not an integer"),
        ({"hidden_size": 10**30}, "hidden_size is 10+, not an integer from 1 to 1048576"),
        ({"vocab_size": 0}, "vocab_size is 0"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers is 1000000"),
        (
            {"num_key_value_heads": 3},
            r"num_key_value_heads is 3, but the number of heads \(4\) is not a multiple",
        ),
        ({"num_key_value_heads": 8}, "num_key_value_heads is 8, not an integer from 1 to 4"),
        ({"head_dim": 7}, "head_dim is 7; expected an even number"),
        (
            {"head_dim": ..., "num_attention_heads": 3, "num_key_value_heads": 3},
            "head_dim is missing, and the hidden",
        ),
        ({"rms_norm_eps": 0}, "rms_norm_eps is 0"),
        ({"rms_norm_eps": ...}, "rms_norm_eps is missing"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'"),
    ],
)
def test_unsupported_configuration_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(directory_with(tmp_path, weights(), **changes))


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    directory_with(tmp_path, weights())
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a complete safetensors file"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("length", [2**27, 2**40, 2**63, 2**64 - 1])
def test_header_that_claims_to_be_huge_allocates_nothing(tmp_path: Path, length: int) -> None:
    write_config(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", length) + b"{}")
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match=r"model\.safetensors"):
            open_checkpoint(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_header_that_names_a_tensor_twice_cannot_reach_outside_the_file(tmp_path: Path) -> None:
    directory_with(tmp_path, weights())
    path = tmp_path / "model.safetensors"
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    second = b', "model.norm.weight": {"dtype": "F32", "shape": [20], "data_offsets": [99999999, 100000079]}}'
    header = raw[8 : 8 + length - 1] + second
    path.write_bytes(struct.pack("<Q", len(header)) + header + raw[8 + length :])
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        open_checkpoint(tmp_path)


def test_directory_without_weights_says_what_it_found(tmp_path: Path) -> None:
    write_config(tmp_path)
    (tmp_path / "consolidated.00.pth").write_bytes(b"")
    with pytest.raises(
        CheckpointError, match=r"expected model\.safetensors .* found config\.json, consolidated"
    ):
        open_checkpoint(tmp_path)


def test_directory_without_configuration(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: no such file"):
        open_checkpoint(tmp_path)


def test_path_that_is_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file or directory"):
        open_checkpoint(tmp_path / "nowhere")
    directory_with(tmp_path, weights())
    with pytest.raises(CheckpointError, match=r"a directory with config\.json"):
        open_checkpoint(tmp_path / "model.safetensors")


def test_missing_extra_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith("llq_format.exporting.checkpoint.")]:
        if not module.endswith((".checkpoint", ".keys")):
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(CheckpointError, match=r"safetensors: pip install 'llq-format\[checkpoint\]'"):
        open_checkpoint(directory_with(tmp_path, weights()))


def test_closed_checkpoint_cannot_load(tmp_path: Path) -> None:
    with open_checkpoint(directory_with(tmp_path, weights())) as checkpoint:
        pass
    with pytest.raises(ValueError, match="closed"):
        checkpoint.load("norm")
    checkpoint.close()


def test_loading_needs_memory_for_one_tensor(tmp_path: Path) -> None:
    rows = 2**17
    arrays = {name: np.zeros(shape, np.uint16) for name, shape in shapes(tied=True).items()}
    arrays["model.embed_tokens.weight"] = np.full((rows, H), 0x3F80, np.uint16)
    directory = directory_with(tmp_path, arrays, "BF16", vocab_size=rows, tie_word_embeddings=True)
    with open_checkpoint(directory) as checkpoint:
        tracemalloc.start()
        try:
            embedding = checkpoint.load("embedding")
            assert tracemalloc.get_traced_memory()[1] < embedding.nbytes + 2**20
        finally:
            tracemalloc.stop()
    assert np.all(embedding == 1)


def test_pytorch_directory(tmp_path: Path) -> None:
    write_bin(tmp_path / "pytorch_model.bin", weights())
    write_config(tmp_path)
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, weights())
        assert checkpoint.provenance["format"] == "pytorch"
        assert checkpoint.provenance["tensor_types"] == {"float32": len(weights())}


def test_sharded_pytorch_directory(tmp_path: Path) -> None:
    write_shards(tmp_path, weights(), write_bin, "pytorch_model", "bin")
    write_config(tmp_path)
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, weights())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_pytorch_halves_are_read_exactly(tmp_path: Path, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array).to(getattr(torch, dtype)) for name, array in weights().items()}
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    write_config(tmp_path)
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, {name: tensor.to(torch.float32).numpy() for name, tensor in tensors.items()})


def test_transposed_pytorch_tensor_is_read_in_its_shape(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array) for name, array in weights().items()}
    tensors["lm_head.weight"] = tensors["lm_head.weight"].T.contiguous().T
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    write_config(tmp_path)
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, weights())


def test_pytorch_tensor_that_repeats_its_elements_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensors = {name: torch.from_numpy(array) for name, array in weights().items()}
    tensors["model.embed_tokens.weight"] = torch.zeros(1).expand(2**24, 2**20)
    torch.save(tensors, tmp_path / "pytorch_model.bin")
    write_config(tmp_path, vocab_size=2**24, hidden_size=2**20)
    with pytest.raises(CheckpointError, match=r"model\.embed_tokens\.weight .* repeats its elements"):
        open_checkpoint(tmp_path)


def test_pytorch_file_cannot_run_code(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"x": Path("/")}, tmp_path / "pytorch_model.bin")
    write_config(tmp_path)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: this file cannot be read as weights"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 1000, -30])
def test_truncated_pytorch_file_is_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "pytorch_model.bin"
    write_bin(path, weights())
    path.write_bytes(path.read_bytes()[:keep])
    write_config(tmp_path)
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin: this file cannot be read as weights"):
        open_checkpoint(tmp_path)
