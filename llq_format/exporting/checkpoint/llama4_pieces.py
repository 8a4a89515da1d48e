"""The tensors of Llama 4 in a checkpoint, by a table of their names.

A table has the checkpoint's name of each role: `{}` denotes the layer, and a second `{}` the expert. Experts
whose names have no second `{}` are stacked in common tensors. The role `experts_gate_up` denotes a fused
tensor, which replaces its parts.
"""

from collections.abc import Mapping

from llq_format.exporting.checkpoint.checkpoint import Piece, Stack
from llq_format.exporting.checkpoint.dense import Pieces
from llq_format.metadata.model import FFN, Model


def pieces(model: Model, names: Mapping[str, str], *, transposed: bool) -> Pieces:
    """Return the pieces of each tensor of the package, in canonical order.

    transposed: whether the matrices of stacked experts are stored as [in, out].
    """
    hidden, vocab = model.hidden_size, model.vocab_size
    query, key_value = model.num_heads * model.head_dim, model.num_kv_heads * model.head_dim
    tensors: Pieces = {"embedding": (Piece(names["embedding"], (vocab, hidden)),)}
    for n, layer in enumerate(model.layers):
        name = {role: template.replace("{}", str(n), 1) for role, template in names.items()}
        tensors[f"layers.{n}.attention_norm"] = (Piece(name["attention_norm"], (hidden,)),)
        tensors[f"layers.{n}.attention.qkv"] = (
            Piece(name["q"], (query, hidden)),
            Piece(name["k"], (key_value, hidden)),
            Piece(name["v"], (key_value, hidden)),
        )
        tensors[f"layers.{n}.attention.output"] = (Piece(name["output"], (hidden, query)),)
        tensors[f"layers.{n}.ffn_norm"] = (Piece(name["ffn_norm"], (hidden,)),)
        tensors |= _ffn(f"layers.{n}.ffn", layer.ffn, hidden, name, transposed=transposed)
    tensors["norm"] = (Piece(names["norm"], (hidden,)),)
    if not model.tied_embeddings:
        tensors["lm_head"] = (Piece(names["lm_head"], (vocab, hidden)),)
    return tensors


def _ffn(ours: str, ffn: FFN, hidden: int, name: Mapping[str, str], *, transposed: bool) -> Pieces:
    """Return the pieces of the FFN of a layer."""
    size = ffn.intermediate_size
    if ffn.moe is None:
        return _gated(ours, (size, hidden), name, "")
    tensors: Pieces = {f"{ours}.router": (Piece(name["router"], (ffn.moe.num_experts, hidden)),)}
    for expert in range(ffn.moe.num_experts):
        stack = None if "{}" in name["experts_down"] else Stack(expert, ffn.moe.num_experts, transposed)
        own = {role: template.replace("{}", str(expert)) for role, template in name.items()}
        tensors |= _gated(f"{ours}.experts.{expert}", (size, hidden), own, "experts_", stack)
    return tensors | _gated(f"{ours}.shared", (ffn.moe.shared_intermediate_size, hidden), name, "shared_")


def _gated(
    ours: str, shape: tuple[int, int], name: Mapping[str, str], roles: str, stack: Stack | None = None
) -> Pieces:
    """Return the pieces of one gated FFN, whose matrix `gate` has that shape; `roles` begins its roles."""
    size, hidden = shape
    fused = name.get(f"{roles}gate_up")
    gate_up = (
        tuple(Piece(name[f"{roles}{part}"], shape, stack=stack) for part in ("gate", "up"))
        if fused is None
        else (Piece(fused, (2 * size, hidden), stack=stack),)
    )
    return {
        f"{ours}.gate_up": gate_up,
        f"{ours}.down": (Piece(name[f"{roles}down"], (hidden, size), stack=stack),),
    }
