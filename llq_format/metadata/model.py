"""The `model` object of the metadata, and its tensors (spec: Metadata, Model; Affine attention)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from llq_format.format.layout import Dtype

MATRIX: tuple[Dtype, ...] = ("int4_affine", "int4_symmetric")
RAW: tuple[Dtype, ...] = ("f16", "f32")
INV_FREQ = "rope.inv_freq"
ATTENTION_AFFINE = "LLQ_attention_affine"
"""The extension whose choices `Attention` holds in its last two fields."""


AFFINE_MEMBERS = ("qkv_bias", "weighted_qk_norm")
"""The members of an element of `layers` in the data of `LLQ_attention_affine`."""


class ContextError(ValueError):
    """A sequence has more positions than its context (LLQ-DEC-22)."""


@dataclass(frozen=True, slots=True)
class Temperature:
    """Position-dependent scaling of q on NoPE layers."""

    attn_scale: float
    floor_scale: int


@dataclass(frozen=True, slots=True)
class Attention:
    """The attention of one layer; the last two fields are choices of `LLQ_attention_affine`."""

    rope: bool
    qk_norm: bool
    chunk_size: int | None
    temperature: Temperature | None
    qkv_bias: bool = False
    weighted_qk_norm: bool = False


@dataclass(frozen=True, slots=True)
class MoE:
    """A top-1 mixture of experts with one shared expert."""

    num_experts: int
    shared_intermediate_size: int


@dataclass(frozen=True, slots=True)
class FFN:
    """The feed-forward network of one layer."""

    activation: Literal["silu", "gelu"]
    gated: bool
    intermediate_size: int
    moe: MoE | None


@dataclass(frozen=True, slots=True)
class Layer:
    """One decoder layer."""

    attention: Attention
    ffn: FFN


@dataclass(frozen=True, slots=True)
class Model:
    """The decoder; its fields match the `model` object of metadata.json."""

    vocab_size: int
    hidden_size: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    context_length: int
    rms_norm_eps: float
    rope_pairing: Literal["interleaved", "halves"]
    tied_embeddings: bool
    fp16_layers: int
    layers: tuple[Layer, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Create a model from a `model` object that satisfies the schema.

        `attention` of a layer may have the members of `LLQ_attention_affine` as well.
        """
        members = {name: item for name, item in value.items() if name not in ("activations", "layers")}
        layers = tuple(_layer(layer) for layer in value["layers"])
        return cls(**members, fp16_layers=value["activations"]["fp16_layers"], layers=layers)

    def to_json(self) -> dict[str, Any]:
        """Return the `model` object, without the choices of `LLQ_attention_affine`."""
        value = asdict(self)
        value["activations"] = {"fp16_layers": value.pop("fp16_layers")}
        value["layers"] = list(value["layers"])
        for layer in value["layers"]:
            for member in AFFINE_MEMBERS:
                del layer["attention"][member]
        return value

    def extensions(self) -> dict[str, Any]:
        """Return the data of the extensions that the model requires, by name."""
        layers = [
            {member: getattr(layer.attention, member) for member in AFFINE_MEMBERS} for layer in self.layers
        ]
        return {ATTENTION_AFFINE: {"layers": layers}} if any(any(x.values()) for x in layers) else {}


def _layer(value: dict[str, Any]) -> Layer:
    attention, ffn = dict(value["attention"]), dict(value["ffn"])
    if attention["temperature"] is not None:
        attention["temperature"] = Temperature(**attention["temperature"])
    if ffn["moe"] is not None:
        ffn["moe"] = MoE(**ffn["moe"])
    return Layer(Attention(**attention), FFN(**ffn))


@dataclass(frozen=True, slots=True)
class TensorRole:
    """A tensor of a model: its name, its shape and its allowed dtypes."""

    name: str
    shape: tuple[int, ...]
    dtypes: tuple[Dtype, ...]


def tensor_roles(model: Model) -> Iterator[TensorRole]:
    """Yield the tensors of a model in canonical order (rules LLQ-TENSOR-9 and LLQ-AFFINE-7)."""
    hidden = model.hidden_size
    q_rows, kv_rows = model.num_heads * model.head_dim, model.num_kv_heads * model.head_dim
    yield TensorRole("embedding", (model.vocab_size, hidden), RAW)
    for number, layer in enumerate(model.layers):
        prefix = f"layers.{number}"
        yield TensorRole(f"{prefix}.attention_norm", (hidden,), RAW)
        yield TensorRole(f"{prefix}.attention.qkv", (q_rows + 2 * kv_rows, hidden), MATRIX)
        if layer.attention.qkv_bias:
            yield TensorRole(f"{prefix}.attention.qkv_bias", (q_rows + 2 * kv_rows,), RAW)
        if layer.attention.weighted_qk_norm:
            yield TensorRole(f"{prefix}.attention.q_norm", (model.head_dim,), RAW)
            yield TensorRole(f"{prefix}.attention.k_norm", (model.head_dim,), RAW)
        yield TensorRole(f"{prefix}.attention.output", (hidden, q_rows), MATRIX)
        yield TensorRole(f"{prefix}.ffn_norm", (hidden,), RAW)
        yield from _ffn_roles(f"{prefix}.ffn", layer.ffn, hidden)
    yield TensorRole("norm", (hidden,), RAW)
    if not model.tied_embeddings:
        yield TensorRole("lm_head", (model.vocab_size, hidden), MATRIX + RAW)
    if any(layer.attention.rope for layer in model.layers):
        yield TensorRole(INV_FREQ, (model.head_dim // 2,), ("f32",))


def _ffn_roles(prefix: str, ffn: FFN, hidden: int) -> Iterator[TensorRole]:
    if ffn.moe is None:
        yield from _dense_roles(prefix, ffn.intermediate_size, hidden, gated=ffn.gated)
        return
    yield TensorRole(f"{prefix}.router", (ffn.moe.num_experts, hidden), RAW)
    for expert in range(ffn.moe.num_experts):
        yield from _dense_roles(f"{prefix}.experts.{expert}", ffn.intermediate_size, hidden, gated=True)
    yield from _dense_roles(f"{prefix}.shared", ffn.moe.shared_intermediate_size, hidden, gated=True)


def _dense_roles(prefix: str, size: int, hidden: int, *, gated: bool) -> Iterator[TensorRole]:
    first = ("gate_up", 2 * size) if gated else ("up", size)
    yield TensorRole(f"{prefix}.{first[0]}", (first[1], hidden), MATRIX)
    yield TensorRole(f"{prefix}.down", (hidden, size), MATRIX)
