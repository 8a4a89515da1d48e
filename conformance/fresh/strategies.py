"""Hypothesis strategies of questions: every choice that the metadata can state, in small sizes."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from .questions import (
    STORED,
    Question,
    RandomGeneration,
    RandomLogits,
    RandomMatvec,
    RandomModel,
    RandomPackage,
    RandomTensor,
)

Json = Any
_RAW, _INT4 = st.sampled_from(STORED[2:]), st.sampled_from(STORED[:2])
_SEEDS = st.integers(0, 1 << 16)
_SIZES = st.integers(1, 6) | st.sampled_from([63, 64, 65, 130])
"""Numbers of rows and of columns, near the edges of blocks too."""

_LIMITS = st.sampled_from([1 << 28, 1 << 16, 1 << 13, 5120, 3072])
"""Values of shard_limit: one shard, or several shards with parts of tensors."""


@st.composite
def attentions(draw: st.DrawFn) -> Json:
    """Return the attention of a layer: RoPE or none, chunks, norms, temperature."""
    rope = draw(st.booleans())
    scale = {"attn_scale": draw(st.sampled_from([0, 0.1, 0.5, 1, 3])), "floor_scale": draw(st.integers(1, 6))}
    return {
        "rope": rope,
        "qk_norm": rope and draw(st.booleans()),
        "chunk_size": draw(st.none() | st.integers(1, 6)),
        "temperature": None if rope or draw(st.booleans()) else scale,
    }


@st.composite
def ffns(draw: st.DrawFn) -> Json:
    """Return the FFN of a layer: gated, not gated, or a mixture of experts."""
    experts = {"num_experts": st.integers(1, 4), "shared_intermediate_size": st.integers(1, 6)}
    moe = draw(st.none() | st.fixed_dictionaries(experts))
    return {
        "activation": draw(st.sampled_from(["silu", "gelu"])),
        "gated": moe is not None or draw(st.booleans()),
        "intermediate_size": draw(st.integers(1, 8) | st.sampled_from([16, 63, 64, 65])),
        "moe": moe,
    }


@st.composite
def architectures(draw: st.DrawFn) -> Json:
    """Return the member `model` of a metadata.json."""
    layer = st.fixed_dictionaries({"attention": attentions(), "ffn": ffns()})
    layers = draw(st.lists(layer, min_size=1, max_size=3))
    kv_heads = draw(st.integers(1, 2))
    return {
        "vocab_size": draw(st.integers(2, 12)),
        "hidden_size": draw(st.integers(2, 12)),
        "num_heads": kv_heads * draw(st.integers(1, 3)),
        "num_kv_heads": kv_heads,
        "head_dim": 2 * draw(st.integers(1, 3)),
        "context_length": draw(st.integers(16, 64)),
        "rms_norm_eps": draw(st.sampled_from([1e-5, 1e-6, 1e-12, 0.01, 1])),
        "rope_pairing": draw(st.sampled_from(["halves", "interleaved"])),
        "tied_embeddings": draw(st.booleans()),
        "activations": {"fp16_layers": draw(st.integers(0, len(layers)))},
        "layers": layers,
    }


_DTYPES = dict.fromkeys(("qkv", "output", "gate_up", "up", "down"), _INT4)
_DTYPES |= dict.fromkeys(("embedding", "attention_norm", "ffn_norm", "norm", "router"), _RAW)
_DTYPES |= dict.fromkeys(("qkv_bias", "q_norm", "k_norm"), _RAW)
_DTYPES |= {"lm_head": _RAW | _INT4}


@st.composite
def affines(draw: st.DrawFn, model: Json) -> tuple[dict[str, bool], ...]:
    """Return choices of `LLQ_attention_affine` for a model, or none: heads have at most one norm."""
    if not draw(st.booleans()):
        return ()
    choices = tuple(
        {
            "qkv_bias": draw(st.booleans()),
            "weighted_qk_norm": not layer["attention"]["qk_norm"] and draw(st.booleans()),
        }
        for layer in model["layers"]
    )
    return choices if any(any(layer.values()) for layer in choices) else ()


@st.composite
def models(draw: st.DrawFn) -> RandomModel:
    """Return a model with its tensors, in one shard or in several."""
    model, seed = draw(architectures()), draw(_SEEDS)
    zero_points = draw(st.sampled_from([(6, 7, 8, 9), (8,), (0, 15), (-3, 12)]))
    dtypes = draw(st.fixed_dictionaries(_DTYPES))
    return RandomModel(model, seed, dtypes, zero_points, draw(_LIMITS), draw(affines(model)))


@st.composite
def tensors(draw: st.DrawFn, name: str, dtypes: tuple[str, ...] = STORED) -> RandomTensor:
    """Return a tensor of a name."""
    dtype = draw(st.sampled_from(dtypes))
    vector = dtype in STORED[2:] and draw(st.booleans())
    return RandomTensor(name, dtype, draw(_SIZES), None if vector else draw(_SIZES), draw(_SEEDS))


@st.composite
def packages(draw: st.DrawFn) -> RandomPackage:
    """Return a conforming package."""
    model = draw(st.none() | models())
    if model is not None:
        ids = st.lists(st.integers(0, model.model["vocab_size"] - 1), max_size=2, unique=True).map(tuple)
        return RandomPackage(model, model.shard_limit, draw(st.none() | ids))
    names = st.from_regex(r"[a-z][a-z0-9_]{0,4}", fullmatch=True)
    chosen = sorted(draw(st.lists(names, min_size=1, max_size=3, unique=True)))
    return RandomPackage(tuple(draw(tensors(name)) for name in chosen), draw(_LIMITS))


def matvecs() -> st.SearchStrategy[RandomMatvec]:
    """Return products of INT4 matrices."""
    matrix = tensors("weight", STORED[:2])
    form = st.sampled_from(["binary16", "int8"])
    return st.builds(RandomMatvec, form, matrix, st.integers(-8, 8), st.integers(1, 3), _SEEDS)


def _prompts(model: RandomModel, longest: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, model.model["vocab_size"] - 1), min_size=1, max_size=longest).map(tuple)


@st.composite
def logits(draw: st.DrawFn) -> RandomLogits:
    """Return a model and a prompt, at once, token by token and in two parts."""
    model = draw(models())
    prompt = draw(_prompts(model, 6))
    first = draw(st.integers(1, len(prompt)))
    parts = (first, len(prompt) - first) if first < len(prompt) else (first,)
    splits = ((len(prompt),), (1,) * len(prompt), parts)
    return RandomLogits(model, prompt, tuple(dict.fromkeys(splits)))


@st.composite
def generations(draw: st.DrawFn) -> RandomGeneration:
    """Return a model, a prompt and end tokens."""
    model = draw(models())
    prompt = draw(_prompts(model, 4))
    ids = st.integers(0, model.model["vocab_size"] - 1)
    eos = draw(st.lists(ids, max_size=2, unique=True).map(tuple))
    return RandomGeneration(model, prompt, draw(st.integers(1, 4)), eos)


QUESTIONS: dict[str, Callable[[], st.SearchStrategy[Question]]] = {
    "decode": packages,
    "accept": packages,
    "matvec": matvecs,
    "logits": logits,
    "generate": generations,
}
"""The strategy of each check."""
