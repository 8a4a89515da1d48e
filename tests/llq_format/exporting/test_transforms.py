"""Transforms keep the function, on Llama, Llama 4 and Qwen; the batched decoder is the decoder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import llq_format
from llq_format.exporting.transforms import (
    BalancedChannels,
    BalancedPairs,
    FoldedNorms,
    RotatedResidual,
    RotatedValues,
    Transform,
    TransformedModel,
    orthogonal,
)
from llq_format.metadata.model import FFN, Attention, Layer, Model, MoE, Temperature, tensor_roles
from llq_format.reference import Decoder
from llq_format.reference.batch import final_norm, multiplied_by, run_layer
from llq_format.synth import synth

_ROPE = Attention(rope=True, qk_norm=False, chunk_size=None, temperature=None)
_DENSE = Layer(_ROPE, FFN("silu", gated=True, intermediate_size=96, moe=None))
DENSE = Model(
    vocab_size=50,
    hidden_size=48,
    num_heads=6,
    num_kv_heads=2,
    head_dim=8,
    context_length=64,
    rms_norm_eps=1e-5,
    rope_pairing="halves",
    tied_embeddings=True,
    fp16_layers=1,
    layers=(_DENSE, _DENSE),
)
_MOE = FFN("silu", gated=True, intermediate_size=24, moe=MoE(3, 40))
_NORMED = Attention(rope=True, qk_norm=True, chunk_size=8, temperature=None)
_NOPE = Attention(rope=False, qk_norm=False, chunk_size=None, temperature=Temperature(0.1, 4))
LLAMA4 = replace(
    DENSE,
    rope_pairing="interleaved",
    tied_embeddings=False,
    layers=(Layer(_NORMED, _MOE), Layer(_NOPE, _MOE), Layer(_ROPE, _DENSE.ffn)),
)
UNGATED = replace(DENSE, layers=(Layer(_ROPE, FFN("gelu", gated=False, intermediate_size=96, moe=None)),))
QWEN = replace(
    DENSE,
    layers=tuple(
        Layer(replace(_ROPE, qkv_bias=bias, weighted_qk_norm=norm), _DENSE.ffn)
        for bias, norm in ((True, False), (False, True), (True, True))
    ),
)
MODELS = {"dense": DENSE, "llama4": LLAMA4, "ungated": UNGATED, "qwen": QWEN}
TOKENS = np.random.default_rng(5).integers(0, 50, (2, 20))

TRANSFORMS: dict[str, list[Transform]] = {
    "fold": [FoldedNorms()],
    "rotate": [FoldedNorms(), RotatedResidual(48, 3)],
    "values": [RotatedValues(3)],
    "pairs": [BalancedPairs()],
    "channels": [BalancedChannels()],
    "all": [
        FoldedNorms(),
        RotatedResidual(48, 3),
        RotatedValues(3),
        BalancedPairs(),
        BalancedChannels(),
    ],
}


def random_tensors(model: Model) -> dict[str, NDArray[np.float64]]:
    """Return weights whose columns and norms have outliers, float64."""
    rng = np.random.default_rng(11)
    tensors = {}
    for role in tensor_roles(model):
        if role.name == "rope.inv_freq":
            tensors[role.name] = 100.0 ** -(np.arange(role.shape[0]) / role.shape[0])
        elif len(role.shape) == 1:
            tensors[role.name] = rng.uniform(0.2, 3, role.shape)
        else:
            spread = rng.uniform(0.1, 2, role.shape[1]) * rng.uniform(0.1, 2, (role.shape[0], 1))
            tensors[role.name] = rng.standard_normal(role.shape) * spread / np.sqrt(role.shape[1])
    return tensors


def logits(transformed: TransformedModel, inv_freq: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return logits of TOKENS, [sequences, tokens, vocab_size]."""
    model = transformed.model
    x = transformed.embedding()[TOKENS]
    for number, layer in enumerate(model.layers):
        weights = transformed.layer(number)
        x = run_layer(model, layer, weights, inv_freq, x, multiply=multiplied_by(weights))
    norm, head = transformed.head()
    return np.asarray(final_norm(model, norm, x) @ head.T)


@pytest.mark.parametrize("architecture", MODELS)
@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_keeps_the_logits(architecture: str, name: str) -> None:
    model = MODELS[architecture]
    tensors = random_tensors(model)
    before = logits(TransformedModel(model, tensors.__getitem__, []), tensors["rope.inv_freq"])
    changed = TransformedModel(model, tensors.__getitem__, TRANSFORMS[name])
    after = logits(changed, tensors["rope.inv_freq"])
    assert np.abs(after - before).max() < 1e-12 * np.abs(before).max()
    assert np.abs(before).max() > 0.1
    assert all((tensors[key] == value).all() for key, value in random_tensors(model).items())  # sources stay


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_changes_the_weights(name: str) -> None:
    tensors = random_tensors(DENSE)
    changed = TransformedModel(DENSE, tensors.__getitem__, TRANSFORMS[name])
    plain = TransformedModel(DENSE, tensors.__getitem__, [])
    assert any((changed.layer(0)[key] != value).any() for key, value in plain.layer(0).items())
    assert changed.untied == (name in {"fold", "rotate", "all"})


def test_rotation_wants_folded_norms() -> None:
    tensors = random_tensors(DENSE)
    with pytest.raises(ValueError, match="attention_norm has weights other than 1: fold the norms"):
        TransformedModel(DENSE, tensors.__getitem__, [RotatedResidual(48, 3)]).layer(0)


def test_transforms_even_out_what_they_are_for() -> None:
    tensors = random_tensors(DENSE)
    changed = TransformedModel(DENSE, tensors.__getitem__, TRANSFORMS["all"]).layer(0)
    plain = TransformedModel(DENSE, tensors.__getitem__, [FoldedNorms()]).layer(0)

    def unevenness(matrix: NDArray[np.float64]) -> float:
        norms = np.linalg.norm(matrix, axis=0)
        return float(norms.max() / norms.min())

    assert unevenness(changed["attention.qkv"]) < unevenness(plain["attention.qkv"]) / 2
    up = changed["ffn.gate_up"][96:]
    assert np.allclose(np.linalg.norm(up, axis=1), np.linalg.norm(changed["ffn.down"], axis=0))
    assert (np.diff(np.linalg.norm(changed["ffn.gate_up"][:96], axis=1)) >= -1e-12).all()  # one group


def test_channels_of_a_block_are_of_a_kind() -> None:
    """In 16 blocks, 4 groups of them by the norm that up and down have, each sorted by the gate's."""
    model = replace(DENSE, layers=(replace(_DENSE, ffn=replace(_DENSE.ffn, intermediate_size=1024)),))
    source = TransformedModel(model, random_tensors(model).__getitem__, [BalancedChannels()])
    gate, up = np.split(np.linalg.norm(source.layer(0)["ffn.gate_up"], axis=1), 2)
    groups = up.reshape(4, 256)
    assert (groups.max(axis=1)[:-1] <= groups.min(axis=1)[1:] * (1 + 1e-12)).all()
    assert (np.diff(gate.reshape(4, 256)) >= 0).all()


@pytest.mark.parametrize("size", [1, 3, 8, 48, 64, 576])
def test_orthogonal_matrices(size: int) -> None:
    q = orthogonal(size, np.random.default_rng(1))
    assert np.abs(q @ q.T - np.eye(size)).max() < 1e-13
    assert (q == orthogonal(size, np.random.default_rng(1))).all()
    if size > 1:
        assert (q != orthogonal(size, np.random.default_rng(2))).any()


@pytest.mark.parametrize("architecture", MODELS)
def test_the_batched_decoder_is_the_decoder(architecture: str, tmp_path: Path) -> None:
    model = replace(MODELS[architecture], tied_embeddings=False)
    synth(model, tmp_path / "p", seed=4, program=None)
    with llq_format.open(tmp_path / "p") as package:
        decoder = Decoder(package, mode="float")
        expected = np.stack([decoder.prefill(tokens.tolist()) for tokens in TOKENS])
        plain = TransformedModel(model, package.get_tensor, [])
        actual = logits(plain, package.get_tensor("rope.inv_freq").astype(np.float64))
    assert np.abs(actual - expected).max() < 1e-12 * np.abs(expected).max()
