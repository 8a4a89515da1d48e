"""Llama 4: every choice of its configuration, and every tensor where LLQ has it."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import llq_format
from llq_format.exporting.checkpoint import Checkpoint, CheckpointError, open_checkpoint
from llq_format.exporting.export import export
from llq_format.metadata.model import Model, tensor_roles
from tests.support.checkpoint_files import Arrays, write_bin, write_safetensors

V, H, HEADS, KV_HEADS, D, LAYERS = 24, 20, 4, 2, 6, 4
INTERMEDIATE, INTERMEDIATE_MLP, EXPERTS = 12, 28, 3
WITH_EXPERTS = (1, 3)
TEXT: dict[str, Any] = {
    "model_type": "llama4_text",
    "vocab_size": V,
    "hidden_size": H,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "head_dim": D,
    "intermediate_size": INTERMEDIATE,
    "intermediate_size_mlp": INTERMEDIATE_MLP,
    "num_hidden_layers": LAYERS,
    "num_local_experts": EXPERTS,
    "num_experts_per_tok": 1,
    "interleave_moe_layer_step": 2,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "hidden_act": "silu",
    "use_qk_norm": True,
    "attention_chunk_size": 64,
    "attn_temperature_tuning": True,
    "attn_scale": 0.2,
    "floor_scale": 16,
    "tie_word_embeddings": False,
    "attention_bias": False,
}


def shapes(
    with_experts: tuple[int, ...],
    *,
    num_layers: int = LAYERS,
    hidden: int = H,
    size: int = INTERMEDIATE,
    experts: int = EXPERTS,
) -> dict[str, tuple[int, ...]]:
    """Return the tensors of a checkpoint of the text decoder, as transformers writes them."""
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (V, hidden),
        "model.norm.weight": (hidden,),
        "lm_head.weight": (V, hidden),
    }
    for n in range(num_layers):
        layer = f"model.layers.{n}"
        tensors |= {
            f"{layer}.input_layernorm.weight": (hidden,),
            f"{layer}.post_attention_layernorm.weight": (hidden,),
            f"{layer}.self_attn.q_proj.weight": (HEADS * D, hidden),
            f"{layer}.self_attn.k_proj.weight": (KV_HEADS * D, hidden),
            f"{layer}.self_attn.v_proj.weight": (KV_HEADS * D, hidden),
            f"{layer}.self_attn.o_proj.weight": (hidden, HEADS * D),
        }
        ffn = f"{layer}.feed_forward"
        prefix, width = ffn, INTERMEDIATE_MLP
        if n in with_experts:
            prefix, width = f"{ffn}.shared_expert", size
            tensors |= {
                f"{ffn}.router.weight": (experts, hidden),
                f"{ffn}.experts.gate_up_proj": (experts, hidden, 2 * size),
                f"{ffn}.experts.down_proj": (experts, size, hidden),
            }
        tensors |= {
            f"{prefix}.gate_proj.weight": (width, hidden),
            f"{prefix}.up_proj.weight": (width, hidden),
            f"{prefix}.down_proj.weight": (hidden, width),
        }
    return tensors


def weights(with_experts: tuple[int, ...] = WITH_EXPERTS) -> Arrays:
    rng = np.random.default_rng(4)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes(with_experts).items()}


def with_separate_experts(arrays: Arrays) -> Arrays:
    """Return the same model with three matrices for each expert, [out, in] like all others."""
    separate: Arrays = {}
    for name, array in arrays.items():
        stem = name.rpartition(".")[0]
        if name.endswith("experts.gate_up_proj"):
            for e in range(EXPERTS):
                gate, up = array[e][:, :INTERMEDIATE], array[e][:, INTERMEDIATE:]
                separate[f"{stem}.{e}.gate_proj.weight"] = np.ascontiguousarray(gate.T)
                separate[f"{stem}.{e}.up_proj.weight"] = np.ascontiguousarray(up.T)
        elif name.endswith("experts.down_proj"):
            for e in range(EXPERTS):
                separate[f"{stem}.{e}.down_proj.weight"] = np.ascontiguousarray(array[e].T)
        else:
            separate[name] = array
    return separate


def without(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out the keys whose value is `...`."""
    return {key: value for key, value in config.items() if value is not ...}


def write_config(directory: Path, config: dict[str, Any]) -> None:
    (directory / "config.json").write_text(json.dumps(config))


def text_directory(directory: Path, arrays: Arrays | None = None, dtype: str = "F32", **changes: Any) -> Path:
    """Write a checkpoint of the text decoder alone."""
    write_config(directory, without({"architectures": ["Llama4ForCausalLM"]} | TEXT | changes))
    write_safetensors(directory / "model.safetensors", weights() if arrays is None else arrays, dtype)
    return directory


def multimodal_directory(
    directory: Path, text: dict[str, Any], *, copied_head: bool = False, **changes: Any
) -> Path:
    """Write a checkpoint of the whole model, with tensors of its other parts."""
    config = {
        "architectures": ["Llama4ForConditionalGeneration"],
        "model_type": "llama4",
        "text_config": text,
        "vision_config": {"model_type": "llama4_vision_model"},
        "tie_word_embeddings": False,
    }
    write_config(directory, without(config | changes))
    arrays = {f"language_model.{name}": array for name, array in weights().items()}
    if copied_head:
        arrays["language_model.lm_head.weight"] = arrays["language_model.model.embed_tokens.weight"]
    arrays["multi_modal_projector.linear_1.weight"] = np.zeros((H, 3), np.float32)
    arrays["vision_model.layernorm_pre.weight"] = np.zeros(7, np.float32)
    arrays["vision_model.model.layers.0.self_attn.q_proj.bias"] = np.zeros(7, np.float32)
    write_safetensors(directory / "model.safetensors", arrays)
    return directory


def layers(tmp_path: Path, **changes: Any) -> list[dict[str, Any]]:
    """Return the layers of the model object, for a configuration that the weights of TEXT fit."""
    with open_checkpoint(text_directory(tmp_path, **changes)) as checkpoint:
        described: list[dict[str, Any]] = checkpoint.model["layers"]
        return described


def check_all(checkpoint: Checkpoint, arrays: Arrays, with_experts: tuple[int, ...] = WITH_EXPERTS) -> None:
    """Compare every tensor with the fused arrays, and experts column by column."""
    expected: Arrays = {"embedding": arrays["model.embed_tokens.weight"]}
    for n in range(LAYERS):
        ours, theirs = f"layers.{n}", f"model.layers.{n}"
        ffn = f"{theirs}.feed_forward"
        expected[f"{ours}.attention_norm"] = arrays[f"{theirs}.input_layernorm.weight"]
        expected[f"{ours}.attention.qkv"] = np.concatenate(
            [arrays[f"{theirs}.self_attn.{x}_proj.weight"] for x in "qkv"]
        )
        expected[f"{ours}.attention.output"] = arrays[f"{theirs}.self_attn.o_proj.weight"]
        expected[f"{ours}.ffn_norm"] = arrays[f"{theirs}.post_attention_layernorm.weight"]
        name, wide = f"{ours}.ffn", ffn
        if n in with_experts:
            expected[f"{ours}.ffn.router"] = arrays[f"{ffn}.router.weight"]
            gate_up, down = arrays[f"{ffn}.experts.gate_up_proj"], arrays[f"{ffn}.experts.down_proj"]
            for e in range(EXPERTS):
                columns = [gate_up[e, :, i] for i in range(2 * INTERMEDIATE)]
                expected[f"{ours}.ffn.experts.{e}.gate_up"] = np.stack(columns)
                expected[f"{ours}.ffn.experts.{e}.down"] = np.stack([down[e, :, i] for i in range(H)])
            name, wide = f"{ours}.ffn.shared", f"{ffn}.shared_expert"
        expected[f"{name}.gate_up"] = np.concatenate(
            [arrays[f"{wide}.gate_proj.weight"], arrays[f"{wide}.up_proj.weight"]]
        )
        expected[f"{name}.down"] = arrays[f"{wide}.down_proj.weight"]
    expected["norm"] = arrays["model.norm.weight"]
    expected["lm_head"] = arrays["lm_head.weight"]
    roles = {role.name: role.shape for role in tensor_roles(Model.from_json(checkpoint.model))}
    assert list(roles) == [*expected, "rope.inv_freq"]
    for name, values in expected.items():
        actual = checkpoint.load(name)
        assert actual.dtype == np.float32
        assert actual.flags.c_contiguous
        assert actual.shape == roles[name]
        np.testing.assert_array_equal(actual, values, err_msg=name)


def test_text_decoder_alone(tmp_path: Path) -> None:
    arrays = weights()
    with open_checkpoint(text_directory(tmp_path, arrays)) as checkpoint:
        check_all(checkpoint, arrays)
        assert checkpoint.tokenizer is None
        assert checkpoint.provenance == {
            "format": "safetensors",
            "architecture": "llama4",
            "tensor_types": {"F32": len(arrays)},
        }


def test_text_decoder_of_a_multimodal_checkpoint(tmp_path: Path) -> None:
    with open_checkpoint(multimodal_directory(tmp_path, TEXT)) as checkpoint:
        check_all(checkpoint, weights())
        assert checkpoint.provenance["tensor_types"] == {"F32": len(weights())}


def test_separate_experts(tmp_path: Path) -> None:
    arrays = weights()
    with open_checkpoint(text_directory(tmp_path, with_separate_experts(arrays))) as checkpoint:
        check_all(checkpoint, arrays)


def test_bfloat16_experts_are_read_exactly(tmp_path: Path) -> None:
    halves = {name: (array.view(np.uint32) >> 16).astype(np.uint16) for name, array in weights().items()}
    expected = {name: (half.astype(np.uint32) << 16).view(np.float32) for name, half in halves.items()}
    with open_checkpoint(text_directory(tmp_path, halves, "BF16")) as checkpoint:
        check_all(checkpoint, expected)


def test_float16_experts_are_read_exactly(tmp_path: Path) -> None:
    arrays = {name: array.astype(np.float16) for name, array in weights().items()}
    with open_checkpoint(text_directory(tmp_path, arrays, "F16")) as checkpoint:
        check_all(checkpoint, arrays)


def test_pytorch_experts(tmp_path: Path) -> None:
    write_config(tmp_path, TEXT)
    write_bin(tmp_path / "pytorch_model.bin", weights())
    with open_checkpoint(tmp_path) as checkpoint:
        check_all(checkpoint, weights())


def test_one_expert_is_read_without_the_others(tmp_path: Path) -> None:
    hidden, size, experts = 128, 256, 64
    tensors = shapes((0,), num_layers=1, hidden=hidden, size=size, experts=experts)
    weights = {name: np.full(shape, 0x3F80, np.uint16) for name, shape in tensors.items()}
    directory = text_directory(
        tmp_path,
        weights,
        "BF16",
        num_hidden_layers=1,
        moe_layers=[0],
        hidden_size=hidden,
        intermediate_size=size,
        num_local_experts=experts,
    )
    with open_checkpoint(directory) as checkpoint:
        for name in ("gate_up", "down"):
            tracemalloc.start()
            try:
                matrix = checkpoint.load(f"layers.0.ffn.experts.63.{name}")
                # 64 experts are 64 times as much; numpy 2.0 has larger buffers than later versions
                assert tracemalloc.get_traced_memory()[1] < 4 * matrix.nbytes
            finally:
                tracemalloc.stop()
            assert np.all(matrix == 1)


def test_model_object_is_complete(tmp_path: Path) -> None:
    roped = {"rope": True, "qk_norm": True, "chunk_size": 64, "temperature": None}
    temperature = {"attn_scale": 0.2, "floor_scale": 16}
    unroped = {"rope": False, "qk_norm": False, "chunk_size": None, "temperature": temperature}
    dense = {"activation": "silu", "gated": True, "intermediate_size": INTERMEDIATE_MLP, "moe": None}
    moe = {"num_experts": EXPERTS, "shared_intermediate_size": INTERMEDIATE}
    mixed = {"activation": "silu", "gated": True, "intermediate_size": INTERMEDIATE, "moe": moe}
    with open_checkpoint(text_directory(tmp_path)) as checkpoint:
        assert checkpoint.model == {
            "vocab_size": V,
            "hidden_size": H,
            "num_heads": HEADS,
            "num_kv_heads": KV_HEADS,
            "head_dim": D,
            "context_length": 512,
            "rms_norm_eps": 1e-5,
            "rope_pairing": "interleaved",
            "tied_embeddings": False,
            "activations": {"fp16_layers": 2},
            "layers": [
                {"attention": roped, "ffn": dense},
                {"attention": roped, "ffn": mixed},
                {"attention": roped, "ffn": dense},
                {"attention": unroped, "ffn": mixed},
            ],
        }


def test_choices_left_out_are_those_of_transformers(tmp_path: Path) -> None:
    absent: dict[str, Any] = dict.fromkeys(
        (
            "rope_theta",
            "hidden_act",
            "use_qk_norm",
            "attention_chunk_size",
            "attn_temperature_tuning",
            "attn_scale",
            "floor_scale",
            "tie_word_embeddings",
            "attention_bias",
            "num_experts_per_tok",
        ),
        ...,
    )
    directory = text_directory(tmp_path, **absent)
    with open_checkpoint(directory) as checkpoint:
        attentions = [layer["attention"] for layer in checkpoint.model["layers"]]
        temperature = {"attn_scale": 0.1, "floor_scale": 8192}
        assert attentions[0] == {"rope": True, "qk_norm": True, "chunk_size": 8192, "temperature": None}
        assert attentions[3] == {
            "rope": False,
            "qk_norm": False,
            "chunk_size": None,
            "temperature": temperature,
        }
        assert checkpoint.model["tied_embeddings"] is False
        assert checkpoint.load("rope.inv_freq")[1] == np.float32(500000.0 ** (-2 / D))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [1, 1, 1, 0]),
        ({"no_rope_layers": []}, [1, 1, 1, 0]),
        ({"no_rope_layers": None}, [1, 1, 1, 0]),
        ({"no_rope_layer_interval": 2}, [1, 0, 1, 0]),
        ({"no_rope_layer_interval": 1}, [0, 0, 0, 0]),
        ({"no_rope_layer_interval": 5}, [1, 1, 1, 1]),
        ({"no_rope_layers": [0, 1, 1, 0]}, [0, 1, 1, 0]),
        ({"no_rope_layers": [0, 1, 1, 0], "no_rope_layer_interval": 2}, [0, 1, 1, 0]),
    ],
)
def test_layers_with_rope(tmp_path: Path, changes: dict[str, Any], expected: list[int]) -> None:
    attentions = [layer["attention"] for layer in layers(tmp_path, **changes)]
    assert [int(attention["rope"]) for attention in attentions] == expected
    assert [int(attention["qk_norm"]) for attention in attentions] == expected
    assert [int(attention["temperature"] is None) for attention in attentions] == expected
    assert [int(attention["chunk_size"] is not None) for attention in attentions] == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"attention_chunk_size": 7}, [7, 7, 7, None]),
        ({"attention_chunk_size": None}, [None] * 4),
        (
            {"layer_types": ["full_attention", "chunked_attention"] * 2},
            [None, 64, None, 64],
        ),
        ({"layer_types": ["chunked_attention"] * 4, "attention_chunk_size": None}, [None] * 4),
        ({"layer_types": None, "no_rope_layers": [0, 1, 0, 1]}, [None, 64, None, 64]),
    ],
)
def test_layers_with_chunks(tmp_path: Path, changes: dict[str, Any], expected: list[int | None]) -> None:
    assert [layer["attention"]["chunk_size"] for layer in layers(tmp_path, **changes)] == expected


@pytest.mark.parametrize(("tuning", "tuned"), [(True, True), (4, True), (False, False), (0, False)])
def test_temperature_is_true_false_or_the_old_four(tmp_path: Path, tuning: object, tuned: bool) -> None:  # noqa: FBT001
    temperatures = [
        layer["attention"]["temperature"] for layer in layers(tmp_path, attn_temperature_tuning=tuning)
    ]
    assert temperatures == [None] * 3 + [{"attn_scale": 0.2, "floor_scale": 16} if tuned else None]


def test_qk_norm_can_be_absent(tmp_path: Path) -> None:
    assert not any(layer["attention"]["qk_norm"] for layer in layers(tmp_path, use_qk_norm=False))


@pytest.mark.parametrize(
    ("changes", "with_experts"),
    [
        ({"interleave_moe_layer_step": 1}, (0, 1, 2, 3)),
        ({"interleave_moe_layer_step": ...}, (0, 1, 2, 3)),
        ({"interleave_moe_layer_step": 3}, (2,)),
        ({"interleave_moe_layer_step": 5}, ()),
        ({"interleave_moe_layer_step": 0, "num_local_experts": ...}, ()),
        ({"moe_layers": [0, 3]}, (0, 3)),
        ({"moe_layers": []}, ()),
        ({"moe_layers": None}, (1, 3)),
        ({"interleave_moe_layer_step": 1, "intermediate_size_mlp": ...}, (0, 1, 2, 3)),
        ({"moe_layers": [], "intermediate_size": ..., "num_local_experts": ...}, ()),
    ],
)
def test_layers_with_experts(tmp_path: Path, changes: dict[str, Any], with_experts: tuple[int, ...]) -> None:
    arrays = weights(with_experts)
    with open_checkpoint(text_directory(tmp_path, arrays, **changes)) as checkpoint:
        check_all(checkpoint, arrays, with_experts)


def test_llama3_scaling_of_scout(tmp_path: Path) -> None:
    scaling = {
        "rope_type": "llama3",
        "factor": 16.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
    }
    with open_checkpoint(text_directory(tmp_path, rope_scaling=scaling)) as checkpoint:
        frequencies = checkpoint.load("rope.inv_freq").tolist()
    theta = [500000.0 ** (-2 * i / D) for i in range(D // 2)]
    assert frequencies == [np.float32(t if 2 * np.pi / t < 8192 else t / 16) for t in theta]
    assert frequencies[-1] == np.float32(theta[-1] / 16)


def test_tied_text_decoder_needs_no_lm_head(tmp_path: Path) -> None:
    arrays = weights()
    del arrays["lm_head.weight"]
    with open_checkpoint(text_directory(tmp_path, arrays, tie_word_embeddings=True)) as checkpoint:
        assert checkpoint.model["tied_embeddings"] is True
        with pytest.raises(KeyError):
            checkpoint.load("lm_head")


@pytest.mark.parametrize("copied", [True, False])
def test_tied_multimodal_checkpoint_may_hold_a_head(tmp_path: Path, *, copied: bool) -> None:
    tied = {"tie_word_embeddings": True}
    directory = multimodal_directory(tmp_path, TEXT | tied, copied_head=copied, tie_word_embeddings=...)
    with open_checkpoint(directory) as checkpoint:
        assert checkpoint.model["tied_embeddings"] is copied
        heads = [found.values for found in checkpoint.warnings if found.id == "head-differs"]
        assert heads == ([] if copied else [{"tensor": "language_model.lm_head.weight"}])
        if not copied:
            np.testing.assert_array_equal(checkpoint.load("lm_head"), weights()["lm_head.weight"])


def test_tokens_of_the_text_configuration_count(tmp_path: Path) -> None:
    text = TEXT | {"bos_token_id": 2, "eos_token_id": [1, 3]}
    directory = multimodal_directory(tmp_path, text, eos_token_id=5)
    vocabulary = {f"t{i}": i for i in range(V)}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "t0"},
    }
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))
    with open_checkpoint(directory) as checkpoint:
        assert checkpoint.tokenizer is not None
        assert checkpoint.tokenizer.bos_token_id is None  # no post-processor puts it, as in transformers
        assert checkpoint.tokenizer.eos_token_ids == [1, 3]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["Llama4TextModel"]}, r"architectures is \['Llama4TextModel'\]"),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantization_config .*already quantized"),
        ({"num_experts_per_tok": 2}, "num_experts_per_tok is 2; LLQ supports one expert per token"),
        ({"num_experts_per_tok": 0}, "num_experts_per_tok is 0"),
        ({"attention_bias": True}, "attention_bias is true"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; supported is 'silu'"),
        ({"no_rope_layers": [1, 1, 1]}, "no_rope_layers has 3 elements, but the model has 4 layers"),
        ({"no_rope_layers": [1, 1, 1, 2]}, "no_rope_layers is not an array of 0 and 1"),
        ({"no_rope_layers": [True, True, True, False]}, "no_rope_layers is not an array of int"),
        ({"no_rope_layers": 4}, "no_rope_layers is not an array of int"),
        ({"no_rope_layer_interval": 0}, "no_rope_layer_interval is 0"),
        ({"layer_types": ["full_attention"]}, "layer_types has 1 elements, but the model has 4 layers"),
        ({"layer_types": ["sliding_attention"] * 4}, "layer_types has 'sliding_attention'; supported are"),
        ({"layer_types": "full_attention"}, "layer_types is not an array of str"),
        ({"attention_chunk_size": 0}, "attention_chunk_size is 0"),
        ({"attn_temperature_tuning": "yes"}, "attn_temperature_tuning is 'yes', not true or false"),
        ({"attn_temperature_tuning": 3}, "attn_temperature_tuning is 3, not true or false"),
        ({"attn_scale": -1}, "attn_scale is -1"),
        ({"floor_scale": 0}, "floor_scale is 0"),
        ({"floor_scale": 16.5}, r"floor_scale is 16\.5, not an integer"),
        ({"use_qk_norm": "yes"}, "use_qk_norm is 'yes'"),
        ({"moe_layers": ["1"]}, "moe_layers is not an array of int"),
        ({"interleave_moe_layer_step": -1}, "interleave_moe_layer_step is -1"),
        ({"num_local_experts": ...}, "num_local_experts is missing"),
        ({"num_local_experts": 5000}, "num_local_experts is 5000"),
        ({"intermediate_size": ...}, "intermediate_size is missing"),
        ({"intermediate_size_mlp": ...}, "intermediate_size_mlp is missing"),
        (
            {"num_key_value_heads": 3},
            r"num_key_value_heads is 3, but the number of heads \(4\) is not a multiple",
        ),
        ({"head_dim": 7}, "head_dim is 7; expected an even number"),
        (
            {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}},
            "rope_parameters scales q and k, but LLQ normalizes",
        ),
        (
            {"num_local_experts": EXPERTS + 1},
            r"router\.weight has shape \[3, 20\], but its configuration requires \[4, 20\]",
        ),
        (
            {"intermediate_size": INTERMEDIATE + 1},
            r"experts\.gate_up_proj has shape \[3, 20, 24\], but its configuration requires \[3, 20, 26\]",
        ),
    ],
)
def test_unsupported_configuration_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(text_directory(tmp_path, **changes))


@pytest.mark.parametrize(
    ("text", "changes", "message"),
    [
        (TEXT, {"text_config": ...}, "text_config is missing"),
        (TEXT, {"text_config": []}, r"text_config is \[\], not an object"),
        (TEXT | {"model_type": "llama"}, {}, r"text_config\.model_type is 'llama'; supported is"),
        (TEXT | {"num_experts_per_tok": 4}, {}, r"text_config\.num_experts_per_tok is 4"),
        (TEXT | {"tie_word_embeddings": True}, {}, "tie_word_embeddings and the value in text_config differ"),
        (TEXT, {"architectures": ["Llama4ForCausalLM"]}, "architectures is .*Llama4ForCausalLM"),
    ],
)
def test_unsupported_multimodal_configuration_is_named(
    tmp_path: Path, text: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(multimodal_directory(tmp_path, text, **changes))


def test_configuration_that_claims_more_experts_than_fit_allocates_nothing(tmp_path: Path) -> None:
    directory = text_directory(tmp_path, num_hidden_layers=1024, num_local_experts=4096)
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="num_local_experts is 4096 in 512 layers"):
            open_checkpoint(directory)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_missing_expert_is_named(tmp_path: Path) -> None:
    arrays = with_separate_experts(weights())
    del arrays["model.layers.3.feed_forward.experts.2.up_proj.weight"]
    with pytest.raises(
        CheckpointError, match=r"tensor model\.layers\.3\.\S*\.experts\.2\.up_proj\.weight not found"
    ):
        open_checkpoint(text_directory(tmp_path, arrays))


def test_missing_fused_experts_are_named(tmp_path: Path) -> None:
    arrays = weights()
    del arrays["model.layers.1.feed_forward.experts.down_proj"]
    with pytest.raises(CheckpointError, match=r"tensor model\.layers\.1\.feed_forward\.experts\.down_proj"):
        open_checkpoint(text_directory(tmp_path, arrays))


def test_tensor_that_llq_has_no_place_for_is_named(tmp_path: Path) -> None:
    arrays = weights() | {"model.layers.0.feed_forward.router.weight": np.zeros((EXPERTS, H), np.float32)}
    with pytest.raises(
        CheckpointError, match=r"layers\.0\.feed_forward\.router\.weight is unknown in a llama4"
    ):
        open_checkpoint(text_directory(tmp_path, arrays))


@pytest.mark.parametrize("scheme", ["affine", "symmetric"])
def test_exported_package_is_valid(tmp_path: Path, scheme: Any) -> None:
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    export(multimodal_directory(checkpoint, TEXT), tmp_path / "package", scheme=scheme)
    findings = llq_format.validate(tmp_path / "package")
    assert [finding.rule for finding in findings] == ["LLQ-PKG-10"]  # no tokenizer
    with llq_format.open(tmp_path / "package") as package:
        for name, theirs in (("gate_up", "gate_up_proj"), ("down", "down_proj")):
            expert = weights()[f"model.layers.3.feed_forward.experts.{theirs}"][2].T
            actual = package.get_tensor(f"layers.3.ffn.experts.2.{name}")
            step = package.get_packed(f"layers.3.ffn.experts.2.{name}").scales.max()
            assert np.abs(actual - expert).max() <= step / 2 * (1 + 1e-6)
        np.testing.assert_array_equal(
            package.get_tensor("layers.1.ffn.router"), weights()["model.layers.1.feed_forward.router.weight"]
        )


def tiny_text_config(transformers: Any) -> Any:
    return transformers.Llama4TextConfig(
        vocab_size=V,
        hidden_size=H,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=D,
        intermediate_size=INTERMEDIATE,
        intermediate_size_mlp=INTERMEDIATE_MLP,
        num_hidden_layers=LAYERS,
        num_local_experts=EXPERTS,
        interleave_moe_layer_step=2,
        no_rope_layer_interval=2,
        attention_chunk_size=16,
        pad_token_id=0,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 16.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
    )


def check_against_transformers(directory: Path, decoder: Any) -> None:
    """Compare a saved checkpoint with the Llama4ForCausalLM that it holds."""
    torch = pytest.importorskip("torch")
    config = decoder.config
    arrays = {name: tensor.numpy() for name, tensor in decoder.state_dict().items()}
    with open_checkpoint(directory) as checkpoint:
        check_all(checkpoint, arrays)
        for n, layer in enumerate(checkpoint.model["layers"]):
            attention = decoder.model.layers[n].self_attn
            assert layer["attention"]["rope"] == bool(attention.use_rope)
            assert layer["attention"]["qk_norm"] == hasattr(attention, "qk_norm")
            chunked = config.layer_types[n] == "chunked_attention"
            assert layer["attention"]["chunk_size"] == (16 if chunked else None)
            assert (layer["ffn"]["moe"] is not None) == decoder.model.layers[n].is_moe_layer
        inv_freq = decoder.model.rotary_emb.inv_freq.numpy()
        np.testing.assert_allclose(checkpoint.load("rope.inv_freq"), inv_freq, rtol=1e-6)
        x = torch.from_numpy(np.random.default_rng(5).normal(size=(EXPERTS, H)).astype(np.float32))
        with torch.no_grad():
            outputs = decoder.model.layers[1].feed_forward.experts(x)  # row e through expert e
        for e in range(EXPERTS):
            gate, up = np.split(checkpoint.load(f"layers.1.ffn.experts.{e}.gate_up") @ x[e].numpy(), 2)
            down = checkpoint.load(f"layers.1.ffn.experts.{e}.down")
            computed = down @ (gate / (1 + np.exp(-gate)) * up)
            np.testing.assert_allclose(
                computed, outputs[e].numpy(), rtol=1e-4, atol=1e-6 * outputs.abs().max()
            )


def test_what_transformers_saves_of_the_text_decoder(tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    pytest.importorskip("torch").manual_seed(6)
    decoder = transformers.Llama4ForCausalLM(tiny_text_config(transformers))
    decoder.save_pretrained(tmp_path)
    check_against_transformers(tmp_path, decoder)


def test_what_transformers_saves_of_the_multimodal_model(tmp_path: Path) -> None:
    transformers: Any = pytest.importorskip("transformers")
    vision = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "image_size": 28,
        "patch_size": 14,
        "vision_output_dim": 16,
        "projector_input_dim": 16,
        "projector_output_dim": 16,
    }
    config = transformers.Llama4Config(text_config=tiny_text_config(transformers), vision_config=vision)
    pytest.importorskip("torch").manual_seed(7)
    multimodal = transformers.Llama4ForConditionalGeneration(config)
    multimodal.save_pretrained(tmp_path)
    check_against_transformers(tmp_path, multimodal.language_model)
