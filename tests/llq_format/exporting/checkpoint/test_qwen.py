"""Checkpoints of Qwen2 and Qwen3: packages compute what transformers computes; what LLQ lacks is refused."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

import llq_format
from llq_format.exporting.checkpoint import CheckpointError, open_checkpoint
from llq_format.exporting.export import MethodName, export
from llq_format.format.layout import BLOCK
from llq_format.metadata.model import ATTENTION_AFFINE
from llq_format.reference import Decoder
from tests.support.oracle_models import difference, transformers_logits, widen

pytestmark = pytest.mark.slow

VOCAB, HIDDEN, HEADS, KV_HEADS, HEAD_DIM, SIZE, LAYERS = 90, 72, 6, 2, 16, 100, 3
TOKENS = np.random.default_rng(3).integers(0, VOCAB, 20).tolist()
COMMON: dict[str, Any] = {
    "vocab_size": VOCAB,
    "hidden_size": HIDDEN,
    "intermediate_size": SIZE,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV_HEADS,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "attn_implementation": "eager",
}
SCALE = 2.0**-5
"""Distance of the weights of neighbouring codes, which rounding to nearest finds again."""


def on_the_grid(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a matrix of multiples of SCALE from −8 to 7, both of which occur in every block."""
    codes = rng.integers(-8, 8, shape)
    for row in range(0, shape[0], BLOCK):
        for col in range(0, shape[1], BLOCK):
            codes[row, col], codes[row, col + 1] = -8, 7
    return (codes * SCALE).astype(np.float32)


def transformers_model(kind: str, *, tied: bool) -> PreTrainedModel:
    """Return a Qwen whose matrices are on the grid, with other values of every bias and norm."""
    torch.manual_seed(0)
    model: PreTrainedModel = (
        Qwen2ForCausalLM(Qwen2Config(**COMMON, tie_word_embeddings=tied))
        if kind == "qwen2"
        else Qwen3ForCausalLM(Qwen3Config(**COMMON, head_dim=HEAD_DIM, tie_word_embeddings=tied))
    )
    rng = np.random.default_rng(4)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            shape = tuple(parameter.shape)
            values: NDArray[np.floating]
            if name.endswith("proj.weight") or name == "lm_head.weight":
                values = on_the_grid(shape, rng)
            elif name.endswith("bias"):
                values = rng.normal(0, 1.5, shape)
            elif name == "model.embed_tokens.weight":
                values = rng.normal(0, 0.5, shape).astype(np.float16)
            else:
                values = rng.uniform(0.5, 1.5, shape)
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
    return model


Exported = tuple[Path, Path, PreTrainedModel]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Exported]:
    """Return checkpoint, package and model in binary64 of a kind."""

    @cache
    def make(kind: str, *, tied: bool = False) -> Exported:
        folder = tmp_path_factory.mktemp(f"{kind}-{tied}")
        model = transformers_model(kind, tied=tied)
        model.save_pretrained(folder / "checkpoint")
        export(folder / "checkpoint", folder / "package", head="f16" if not tied else None)
        return folder / "checkpoint", folder / "package", model.double()

    return make


KINDS = ("qwen2", "qwen3")


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_package_computes_what_transformers_computes(
    kind: str, *, tied: bool, exported: Callable[..., Exported], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, package, model = exported(kind, tied=tied)
    assert [finding for finding in llq_format.validate(package) if finding.severity == "error"] == []
    widen(monkeypatch)
    with llq_format.open(package) as opened:
        actual = Decoder(opened, mode="float").prefill(TOKENS)
    # The bound is that of inv_freq, which transformers computes in binary32.
    assert difference(actual, transformers_logits(model, TOKENS)) < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_the_package_requires_the_extension(kind: str, exported: Callable[..., Exported]) -> None:
    _, package, _ = exported(kind)
    metadata = json.loads((package / "metadata.json").read_bytes())
    choices = {"qkv_bias": kind == "qwen2", "weighted_qk_norm": kind == "qwen3"}
    assert metadata["extensions_required"] == metadata["extensions_used"] == [ATTENTION_AFFINE]
    assert metadata["extensions"] == {ATTENTION_AFFINE: {"layers": [choices] * LAYERS}}
    raw = {tensor["name"]: tensor["dtype"] for tensor in metadata["tensors"] if len(tensor["shape"]) == 1}
    names = ("qkv_bias",) if kind == "qwen2" else ("q_norm", "k_norm")
    assert {raw[f"layers.{n}.attention.{name}"] for n in range(LAYERS) for name in names} == {"f32"}


@pytest.mark.parametrize("method", ["awq", "gptq", "best"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_method_keeps_what_the_model_computes(
    kind: str, method: MethodName, exported: Callable[..., Exported], tmp_path: Path
) -> None:
    checkpoint, _, model = exported(kind)
    np.save(tmp_path / "ids.npy", np.random.default_rng(5).integers(0, VOCAB, 300))
    export(checkpoint, tmp_path / "package", method=method, calibrate=tmp_path / "ids.npy", head="f16")
    assert [f for f in llq_format.validate(tmp_path / "package") if f.severity == "error"] == []
    with llq_format.open(tmp_path / "package") as opened:
        actual = Decoder(opened, mode="float").prefill(TOKENS)
    expected = transformers_logits(model, TOKENS)
    agreement = np.corrcoef(actual.ravel(), expected.ravel())[0, 1]
    assert agreement > 0.8  # a bias in other coordinates than its matrix leaves 0.28


def edited(checkpoint: Path, target: Path, **changes: Any) -> Path:
    """Return a copy of a checkpoint with other members of config.json; the value ... removes one."""
    target.mkdir()
    (target / "model.safetensors").symlink_to(checkpoint / "model.safetensors")
    config = json.loads((checkpoint / "config.json").read_text()) | changes
    kept = {key: value for key, value in config.items() if value is not ...}
    (target / "config.json").write_text(json.dumps(kept))
    return target


REFUSED = [
    ("qwen2", {"use_sliding_window": True, "sliding_window": 16}, "sliding_window is 16, shorter than"),
    ("qwen2", {"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, "layer_types has"),
    ("qwen3", {"attention_bias": True}, "attention_bias is true"),
    (
        "qwen2",
        {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"], "head_dim": 12},
        r"[qkv]_proj\.bias has values other than 0",
    ),
    ("qwen3", {"head_dim": ...}, "requires .768, 72"),  # the default of a head's width is 128
]


@pytest.mark.parametrize(("kind", "changes", "message"), REFUSED, ids=[message for *_, message in REFUSED])
def test_what_llq_lacks_is_refused(
    kind: str, changes: dict[str, Any], message: str, exported: Callable[..., Exported], tmp_path: Path
) -> None:
    checkpoint = edited(exported(kind)[0], tmp_path / "checkpoint", **changes)
    with pytest.raises(CheckpointError, match=message):
        open_checkpoint(checkpoint)


def test_a_tensor_of_the_other_kind_is_refused(exported: Callable[..., Exported], tmp_path: Path) -> None:
    """A Qwen2 with biases is no Llama: nothing is left out."""
    changes = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    with pytest.raises(CheckpointError, match=r"[qkv]_proj\.bias has values other than 0"):
        open_checkpoint(edited(exported("qwen2")[0], tmp_path / "checkpoint", **changes))


GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def gguf_file(kind: str, model: PreTrainedModel, path: Path, **changes: Any) -> Path:
    """Write a GGUF file of a model, its rows in their order, as conversion of this architecture does."""
    writer = gguf.GGUFWriter(path, kind)
    width = HIDDEN // HEADS if kind == "qwen2" else HEAD_DIM
    numbers = {
        "context_length": 64,
        "embedding_length": HIDDEN,
        "block_count": LAYERS,
        "feed_forward_length": SIZE,
        "attention.head_count": HEADS,
        "attention.head_count_kv": KV_HEADS,
        "attention.key_length": width,
        "attention.value_length": width,
        **changes,
    }
    for key, value in numbers.items():
        writer.add_uint32(f"{kind}.{key}", value)
    writer.add_float32(f"{kind}.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32(f"{kind}.rope.freq_base", 1e6)
    for name, tensor in model.state_dict().items():
        module, _, last = name.rpartition(".")
        number, _, inner = module.removeprefix("model.layers.").partition(".")
        theirs = f"blk.{number}.{GGUF_NAMES[inner]}" if number.isdigit() else GGUF_NAMES[module]
        writer.add_tensor(f"{theirs}.{last}", tensor.float().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_gguf_file_holds_the_same_model(
    kind: str, exported: Callable[..., Exported], tmp_path: Path
) -> None:
    checkpoint, _, model = exported(kind)
    path = gguf_file(kind, model, tmp_path / "m.gguf")
    with open_checkpoint(path, tokenizer=False) as ours, open_checkpoint(checkpoint) as theirs:
        assert ours.model == theirs.model
        names = json.loads((exported(kind)[1] / "metadata.json").read_bytes())["tensors"]
        for name in (tensor["name"] for tensor in names):
            np.testing.assert_array_equal(ours.load(name), theirs.load(name), name)


def test_an_error_of_a_gguf_file_names_its_own_key(exported: Callable[..., Exported], tmp_path: Path) -> None:
    path = gguf_file("qwen2", exported("qwen2")[2], tmp_path / "m.gguf", **{"attention.head_count": 0})
    with pytest.raises(CheckpointError, match=r"qwen2\.attention\.head_count is 0"):
        open_checkpoint(path)
