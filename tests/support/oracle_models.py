"""Tiny random models twice: as LLQ packages, and with the same weights in Hugging Face transformers.

Weights are drawn, quantized and written as a package; the decoded weights are loaded into the
transformers model, so that both sides compute with equal numbers and every difference is one of the decoder.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from inspect import signature
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import (
    DynamicCache,
    Llama4ForCausalLM,
    Llama4TextConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.llama import modeling_llama
from transformers.models.llama4 import modeling_llama4
from transformers.models.nemotron.modeling_nemotron import NemotronMLP
from transformers.models.qwen2 import modeling_qwen2
from transformers.models.qwen3 import modeling_qwen3

import llq_format
from llq_format.format.layout import rows_cols
from llq_format.format.quantize import PackedTensor
from llq_format.metadata.model import FFN, Attention, Layer, Model, tensor_roles
from llq_format.package.reader import Package
from llq_format.reference import Decoder
from llq_format.reference.attention import KVPrecision
from llq_format.reference.matrix import Matrix, Rounded

torch.set_num_threads(1)  # on models this small, waking other threads takes most of the time

Array = NDArray[np.float64]
Mode = Callable[[torch.Tensor], torch.Tensor]

UNIT_ROUNDOFF = 2.0**-24
TOLERANCE = 1e-13
"""Of comparisons in binary64, relative to the largest logit; the observed difference is a thirtieth of it."""
NOTICED = 1e-4
"""Minimum change by a misreading: far more than the tolerance and `float32_bound`."""
TOKENS = 24
SPLITS = [(TOKENS,), (1,) * TOKENS, (5, 1, 3, 15), (11, 1, 1, 1, 10), (3, 8, 8, 5)]
"""How a sequence is computed: at once, token by token, and in between."""

ROPE = Attention(rope=True, qk_norm=False, chunk_size=None, temperature=None)
SWIGLU = FFN("silu", gated=True, intermediate_size=112, moe=None)


@dataclass(frozen=True)
class Case:
    """A model, and what its tensors are drawn with."""

    model: Model
    rope_parameters: dict[str, Any]
    seed: int = 0
    embedding_scale: float = 1.0
    head: str = "int4"  # of a model that is not tied: int4, or a raw dtype
    query_gain: float = 2.0  # scores spread enough for masks, angles and factors to matter


def model(layers: Iterable[Layer], **members: Any) -> Model:
    """Return a small model whose sizes are different numbers, most of them no multiples of 64."""
    stack = tuple(layers)
    defaults: dict[str, Any] = {
        "vocab_size": 90,
        "hidden_size": 96,
        "num_heads": 4,
        "num_kv_heads": 2,
        "head_dim": 24,
        "context_length": 64,
        "rms_norm_eps": 1e-5,
        "rope_pairing": "halves",
        "tied_embeddings": False,
        "fp16_layers": 0,
    }
    return Model(**{**defaults, **members}, layers=stack)


@dataclass(frozen=True)
class Oracle:
    """A package, the transformers model with its weights in binary64, and tokens for both."""

    case: Case
    package: Package
    reference: PreTrainedModel
    tokens: list[int]

    def decoder(self) -> Decoder:
        """Return the decoder that rounds nothing."""
        return Decoder(self.package, mode="float")

    def exact_decoder(self, fp16_layers: int, kv_cache: KVPrecision = "float64") -> Decoder:
        """Return the decoder that rounds, the first layers' inputs to binary16."""
        changed = replace(self.package.metadata, model=replace(self.case.model, fp16_layers=fp16_layers))
        package = Package(self.package.directory, changed, self.package.metadata_bytes)
        return Decoder(package, "exact", kv_cache)


def build(case: Case, directory: Path) -> Oracle:
    """Write the package of a case and load its weights into transformers."""
    reference = _transformers_model(case.model, case.rope_parameters)
    rope: Any = reference.model.rotary_emb
    llq_format.save(directory, _random_tensors(case, rope.inv_freq.numpy()), model=case.model)
    package = llq_format.open(directory)
    reference.load_state_dict(_state_dict(package, case.model), strict=True)  # strict: every weight is set
    tokens = np.random.default_rng([case.seed, 1]).integers(0, case.model.vocab_size, TOKENS)
    # From binary32 to binary64 and not made there: inv_freq has to stay the binary32 number that it is.
    return Oracle(case, package, reference.double(), tokens.tolist())


def _random_tensors(
    case: Case, inv_freq: NDArray[np.float32]
) -> dict[str, PackedTensor | NDArray[np.floating]]:
    rng = np.random.default_rng([case.seed, 0])
    tensors: dict[str, PackedTensor | NDArray[np.floating]] = {}
    for number, role in enumerate(tensor_roles(case.model)):
        rows, cols = rows_cols(role.shape)
        values = rng.standard_normal((rows, cols)) / math.sqrt(cols)
        if role.name == "rope.inv_freq":
            tensors[role.name] = inv_freq
        elif role.name.endswith("qkv_bias"):
            tensors[role.name] = values[:, 0].astype(np.float32)
        elif role.name.endswith("norm"):
            tensors[role.name] = (1 + 0.2 * values[:, 0]).astype(np.float32)
        elif role.name == "embedding":
            tensors[role.name] = (values * math.sqrt(cols) * case.embedding_scale).astype(np.float16)
        elif role.name.endswith("router"):
            tensors[role.name] = (2 * values).astype(np.float32)
        elif role.name == "lm_head" and case.head != "int4":
            tensors[role.name] = values.astype(case.head)
        else:
            if role.name.endswith("qkv"):
                values[: case.model.num_heads * case.model.head_dim] *= case.query_gain
            tensors[role.name] = llq_format.quantize(values, "affine" if number % 2 else "symmetric")
    return tensors


def _transformers_model(m: Model, rope_parameters: dict[str, Any]) -> PreTrainedModel:
    torch.manual_seed(0)
    common: dict[str, Any] = {
        "vocab_size": m.vocab_size,
        "hidden_size": m.hidden_size,
        "num_hidden_layers": len(m.layers),
        "num_attention_heads": m.num_heads,
        "num_key_value_heads": m.num_kv_heads,
        "head_dim": m.head_dim,
        "max_position_embeddings": m.context_length,
        "rms_norm_eps": m.rms_norm_eps,
        "tie_word_embeddings": m.tied_embeddings,
        "rope_parameters": rope_parameters,
        "attn_implementation": "eager",
    }
    if m.rope_pairing == "interleaved":
        return _llama4(m, common)
    (ffn,) = {layer.ffn for layer in m.layers}
    if m.extensions():
        return _qwen(m, common, ffn)
    config = LlamaConfig(**common, intermediate_size=ffn.intermediate_size, hidden_act=ffn.activation)
    llama = LlamaForCausalLM(config)
    if not ffn.gated:  # transformers lacks a Llama without gates: Nemotron's FFN is down(act(up x))
        for layer in llama.model.layers:
            layer.mlp = NemotronMLP(config)  # type: ignore[no-untyped-call]  # transformers' omission
    return llama


def _qwen(m: Model, common: dict[str, Any], ffn: FFN) -> PreTrainedModel:
    """Return a Qwen2, which has biases, or a Qwen3, which has weighted norms of heads and may have biases."""
    ((bias, norm),) = {(a.qkv_bias, a.weighted_qk_norm) for a in (layer.attention for layer in m.layers)}
    sizes: dict[str, Any] = {"intermediate_size": ffn.intermediate_size, "hidden_act": ffn.activation}
    if not norm:
        return Qwen2ForCausalLM(Qwen2Config(**common, **sizes))
    qwen3 = Qwen3ForCausalLM(Qwen3Config(**common, **sizes, attention_bias=bias))
    for layer in qwen3.model.layers:
        layer.self_attn.o_proj.bias = None  # transformers has biases of all four projections, or none
    return qwen3


def _llama4(m: Model, common: dict[str, Any]) -> PreTrainedModel:
    """Return a Llama 4; differences between layers are in lists of its configuration."""
    attentions = [layer.attention for layer in m.layers]
    ffns = [layer.ffn for layer in m.layers]
    experts = {(ffn.intermediate_size, ffn.moe) for ffn in ffns if ffn.moe is not None}
    dense = {ffn.intermediate_size for ffn in ffns if ffn.moe is None}
    chunks = {a.chunk_size for a in attentions if a.chunk_size is not None}
    temperatures = {a.temperature for a in attentions if a.temperature is not None}
    expert_size, moe = experts.pop() if experts else (1, None)
    temperature = temperatures.pop() if temperatures else None
    if experts or temperatures or len(chunks) > 1 or len(dense) > 1:
        raise ValueError("transformers has one of each in a model")
    config = Llama4TextConfig(
        **common,
        intermediate_size=expert_size,
        intermediate_size_mlp=dense.pop() if dense else 1,
        num_local_experts=1 if moe is None else moe.num_experts,
        num_experts_per_tok=1,
        moe_layers=[number for number, ffn in enumerate(ffns) if ffn.moe is not None],
        no_rope_layers=[int(a.rope) for a in attentions],  # 1 means RoPE, despite the name
        layer_types=["full_attention" if a.chunk_size is None else "chunked_attention" for a in attentions],
        attention_chunk_size=chunks.pop() if chunks else m.context_length,
        use_qk_norm=any(a.qk_norm for a in attentions),
        attn_temperature_tuning=temperature is not None,
        attn_scale=1.0 if temperature is None else temperature.attn_scale,
        floor_scale=1 if temperature is None else temperature.floor_scale,
    )
    llama4 = Llama4ForCausalLM(config)
    if moe is not None and moe.shared_intermediate_size != expert_size:  # one size in the configuration
        for layer in (llama4.model.layers[number] for number in config.moe_layers or []):
            shared = modeling_llama4.Llama4TextMLP(config, moe.shared_intermediate_size)  # type: ignore[no-untyped-call]  # transformers' omission
            layer.feed_forward.shared_expert = shared
    return llama4


def _qkv_state(package: Package, m: Model, number: int) -> dict[str, NDArray[np.float32]]:
    """Return the weights of q, k and v of a layer, and their biases and weighted norms."""
    ours, theirs = f"layers.{number}.attention", f"model.layers.{number}.self_attn"
    rows = [m.num_heads * m.head_dim, (m.num_heads + m.num_kv_heads) * m.head_dim]
    matrices = np.split(package.get_tensor(f"{ours}.qkv"), rows)
    arrays = {f"{theirs}.{x}_proj.weight": part for x, part in zip("qkv", matrices, strict=True)}
    config = m.layers[number].attention
    if config.qkv_bias:
        biases = np.split(package.get_tensor(f"{ours}.qkv_bias"), rows)
        arrays |= {f"{theirs}.{x}_proj.bias": part for x, part in zip("qkv", biases, strict=True)}
    if config.weighted_qk_norm:
        arrays |= {f"{theirs}.{x}_norm.weight": package.get_tensor(f"{ours}.{x}_norm") for x in "qk"}
    return arrays


def _state_dict(package: Package, m: Model) -> dict[str, torch.Tensor]:
    """Return the decoded weights under their names in transformers."""

    def get(name: str) -> NDArray[np.float32]:
        return package.get_tensor(name)

    def gated(prefix: str, theirs: str) -> dict[str, NDArray[np.float32]]:
        gate, up = np.split(get(f"{prefix}.gate_up"), 2)
        parts = {"gate_proj": gate, "up_proj": up, "down_proj": get(f"{prefix}.down")}
        return {f"{theirs}.{name}.weight": part for name, part in parts.items()}

    arrays = {"model.embed_tokens.weight": get("embedding"), "model.norm.weight": get("norm")}
    arrays["lm_head.weight"] = get("embedding" if m.tied_embeddings else "lm_head")
    for number, layer in enumerate(m.layers):
        ours, theirs = f"layers.{number}", f"model.layers.{number}"
        arrays |= _qkv_state(package, m, number)
        arrays[f"{theirs}.self_attn.o_proj.weight"] = get(f"{ours}.attention.output")
        arrays[f"{theirs}.input_layernorm.weight"] = get(f"{ours}.attention_norm")
        arrays[f"{theirs}.post_attention_layernorm.weight"] = get(f"{ours}.ffn_norm")
        theirs += ".mlp" if m.rope_pairing == "halves" else ".feed_forward"
        if layer.ffn.moe is not None:
            experts = [f"{ours}.ffn.experts.{expert}" for expert in range(layer.ffn.moe.num_experts)]
            arrays[f"{theirs}.router.weight"] = get(f"{ours}.ffn.router")
            arrays[f"{theirs}.experts.gate_up_proj"] = np.stack([get(f"{e}.gate_up").T for e in experts])
            arrays[f"{theirs}.experts.down_proj"] = np.stack([get(f"{e}.down").T for e in experts])
            arrays |= gated(f"{ours}.ffn.shared", f"{theirs}.shared_expert")
        elif layer.ffn.gated:
            arrays |= gated(f"{ours}.ffn", theirs)
        else:
            arrays[f"{theirs}.up_proj.weight"] = get(f"{ours}.ffn.up")
            arrays[f"{theirs}.down_proj.weight"] = get(f"{ours}.ffn.down")
    return {name: torch.from_numpy(np.array(array, np.float32)) for name, array in arrays.items()}


# Computing on both sides.


def difference(actual: Array, expected: Array) -> float:
    """Return the largest difference over the largest expected magnitude."""
    assert actual.shape == expected.shape  # noqa: S101  # broadcasting would hide it
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def in_pieces(decoder: Decoder, tokens: Sequence[int], pieces: Iterable[int]) -> Array:
    """Return the logits of a sequence that the decoder computes piece by piece."""
    sequence = decoder.start()
    return np.concatenate([decoder.forward(piece, sequence) for piece in _cut(tokens, pieces)])


def transformers_logits(reference: PreTrainedModel, tokens: Sequence[int]) -> Array:
    """Return transformers' logits of a sequence at once and without a cache."""
    with torch.inference_mode():
        return _array(reference(input_ids=torch.tensor([tokens]), use_cache=False).logits)


def transformers_in_pieces(reference: PreTrainedModel, tokens: Sequence[int], pieces: Iterable[int]) -> Array:
    """Return transformers' logits of a sequence piece by piece, with the cache that it makes itself."""
    cache = {_cache_parameter(reference): DynamicCache(config=reference.config)}
    with torch.inference_mode():
        outputs = [
            reference(input_ids=torch.tensor([piece]), use_cache=True, **cache)
            for piece in _cut(tokens, pieces)
        ]
    return np.concatenate([_array(output.logits) for output in outputs])


def _cache_parameter(reference: PreTrainedModel) -> str:
    """Return the name of the parameter for the KV cache, which transformers 5.24 renamed."""
    parameters = signature(reference.forward).parameters
    return "cache" if "cache" in parameters else "past_key_values"


def router_margin(reference: PreTrainedModel, tokens: Sequence[int]) -> float:
    """Return the smallest difference of the two largest router logits, over all tokens and layers."""
    margins: list[float] = []

    def look(_router: nn.Module, _inputs: object, outputs: tuple[torch.Tensor, torch.Tensor]) -> None:
        greatest = outputs[1].topk(2, dim=-1).values
        margins.append((greatest[:, 0] - greatest[:, 1]).min().item())

    routers = [m for m in reference.modules() if isinstance(m, modeling_llama4.Llama4Router)]
    hooks = [router.register_forward_hook(look) for router in routers]
    transformers_logits(reference, tokens)
    for hook in hooks:
        hook.remove()
    return min(margins)


def _array(logits: torch.Tensor) -> Array:
    array: Array = logits[0].double().numpy()
    return array


def _cut(tokens: Sequence[int], pieces: Iterable[int]) -> Iterator[Sequence[int]]:
    ends = np.cumsum([0, *pieces])
    assert ends[-1] == len(tokens)  # noqa: S101  # a split covers the sequence
    return (tokens[first:end] for first, end in pairwise(ends.tolist()))


def in_float32(reference: PreTrainedModel) -> PreTrainedModel:
    """Return the model as transformers runs it by itself: everything in binary32."""
    return nn.Module.float(deepcopy(reference))


def float32_bound(m: Model) -> float:
    """Return how far logits in binary32 may be off, relative to the largest.

    Rounding errors are independent and of mean zero, so they add like a random walk: a sum of n products is
    off by √n·u, and S stages one after another by √S of that. A layer has 14 stages: norm, qkv, RoPE, scores,
    softmax, values, output, sum, norm, gate_up, activation, product, down, sum; norm and head follow. As one
    rounding's standard deviation is near 0.4 u, and sums are computed in blocks, the largest error of some
    thousand logits, which is a few deviations, stays below this too.
    """
    longest = max(m.hidden_size, m.num_heads * m.head_dim, *(_sizes(layer.ffn) for layer in m.layers))
    return math.sqrt((14 * len(m.layers) + 2) * longest) * UNIT_ROUNDOFF


def _sizes(ffn: FFN) -> int:
    return max(ffn.intermediate_size, 0 if ffn.moe is None else ffn.moe.shared_intermediate_size)


class _WideTorch(ModuleType):
    """torch, in which binary32 is the name of binary64, and which may round what enters `bmm`."""

    float32 = torch.float64
    float = torch.float64

    def __init__(self) -> None:
        super().__init__("torch")
        self.round: Mode | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)

    def bmm(self, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        """Multiply; only the experts of Llama 4 call it."""
        return torch.bmm(inputs if self.round is None else self.round(inputs), weights)


def widen(monkeypatch: pytest.MonkeyPatch) -> _WideTorch:
    """Let transformers compute in binary64 where it casts to binary32, whatever the model's dtype is.

    Two names are replaced. `torch.float32` and `torch.float`, as the modules of the models see them:
    norms and softmax of Llama and Qwen, and the dtype in which positions meet inv_freq in all.
    `torch.Tensor.float`: positions in all; of Llama 4 also norms, RoPE, QK norm, temperature factors and
    the router's sigmoid.
    The values of inv_freq itself were rounded to binary32 before and stay so, as they are in the package.
    """
    wide = _WideTorch()
    for module in (modeling_llama, modeling_llama4, modeling_qwen2, modeling_qwen3):
        monkeypatch.setattr(module, "torch", wide)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    return wide


# The roundings of the exact mode, once more and in torch.


def binary16_inputs(x: torch.Tensor) -> torch.Tensor:
    """Round to binary16, ties to even, and back.

    By arithmetic, since torch's own conversion from binary64 goes through binary32 and so rounds twice.
    """
    exponent = torch.frexp(x).exponent - 1  # 2^exponent ≤ |x| < 2^(exponent + 1)
    step = torch.ldexp(torch.ones_like(x), exponent.clamp(min=-14) - 10)
    return (torch.round(x / step) * step).clamp(-65504, 65504)


def int8_inputs(x: torch.Tensor) -> torch.Tensor:
    """Round to multiples of the largest magnitude of the last axis over 127."""
    largest = x.abs().amax(dim=-1, keepdim=True)
    codes = torch.round(torch.where(largest > 0, 127 * x / largest, 0.0))
    return codes * (largest / 127)


@contextmanager
def rounded_inputs(reference: PreTrainedModel, wide: _WideTorch, fp16_layers: int) -> Iterator[None]:
    """Let transformers round what enters each matmul, the router's apart, as the exact mode does."""

    def rounding(mode: Mode) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], tuple[torch.Tensor, ...]]:
        return lambda _module, args: (mode(args[0]), *args[1:])

    def announce(mode: Mode) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        return lambda _module, _args: setattr(wide, "round", mode)  # the experts' products are not modules

    hooks = []
    for name, module in reference.named_modules():
        parts = name.split(".")
        layer = int(parts[2]) if name.startswith("model.layers.") else None
        mode = binary16_inputs if layer is None or layer < fp16_layers else int8_inputs
        if type(module) is nn.Linear:  # the router is of a class derived from it
            hooks.append(module.register_forward_pre_hook(rounding(mode)))
        elif isinstance(module, modeling_llama4.Llama4TextExperts):
            hooks.append(module.register_forward_pre_hook(announce(mode)))
    try:
        yield
    finally:
        wide.round = None
        for hook in hooks:
            hook.remove()


# Alterations: a decoder with one feature taken out or misread.

Alteration = Callable[[Decoder], None]
Change = Callable[[Array], Array]


class Altered(Matrix):
    """A matrix whose inputs and results are changed."""

    def __init__(
        self, matrix: Matrix, *, inputs: Change = lambda x: x, results: Change = lambda y: y
    ) -> None:
        """Keep the matrix and the changes of its inputs [tokens, cols] and its results [tokens, rows]."""
        self._matrix = matrix
        self._inputs = inputs
        self._results = results

    def rounded(self, x: Array) -> Rounded:
        """Round the changed vectors as the matrix does."""
        return self._matrix.rounded(self._inputs(x))

    def product(self, x: Rounded) -> Array:
        """Return the changed product."""
        return self._results(self._matrix.product(x))


def reordered(matrix: Matrix, order: NDArray[np.intp]) -> Matrix:
    """Return a matrix with its rows in another order."""
    return Altered(matrix, results=lambda y: y[:, order])


def effect(oracle: Oracle, alter: Alteration) -> float:
    """Return how far an alteration moves the logits."""
    altered = oracle.decoder()
    alter(altered)
    return difference(altered.prefill(oracle.tokens), oracle.decoder().prefill(oracle.tokens))


def attention(**changes: Any) -> Alteration:
    """Change members of every layer's attention."""

    def alter(decoder: Decoder) -> None:
        for layer in decoder.layers:
            layer.attention.config = replace(layer.attention.config, **changes)

    return alter


def whole_model(**changes: Any) -> Alteration:
    """Change members of the model."""

    def alter(decoder: Decoder) -> None:
        decoder.model = replace(decoder.model, **changes)
        decoder.layers = [replace(layer, eps=decoder.model.rms_norm_eps) for layer in decoder.layers]
        for layer in decoder.layers:
            layer.attention.model = decoder.model

    return alter


def reversed_layers(decoder: Decoder) -> None:
    """Run the last layer first."""
    decoder.layers.reverse()


def unweighted_final_norm(decoder: Decoder) -> None:
    """Leave out the last norm's weight."""
    decoder.norm = np.ones_like(decoder.norm)
