"""The layers of a model in words; equal layers are grouped."""

from rich.console import Console

from llq_format.cli.terminal import print_line
from llq_format.metadata.model import Layer, Model


def print_layers(console: Console, model: Model) -> None:
    """Print each kind of layer with its layer numbers, in order of first appearance."""
    groups: dict[Layer, list[int]] = {}
    for number, layer in enumerate(model.layers):
        groups.setdefault(layer, []).append(number)
    for layer, numbers in groups.items():
        print_line(console, f"{spans(numbers)}: {_words(layer)}", lead="  layers ")


def spans(numbers: list[int]) -> str:
    """Return ascending numbers with runs shortened: `0-2, 4-6, 9`."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in runs)


def _words(layer: Layer) -> str:
    attention, ffn = layer.attention, layer.ffn
    words = ["RoPE" if attention.rope else "NoPE"]
    if attention.qkv_bias:
        words.append("QKV bias")
    if attention.weighted_qk_norm:
        words.append("weighted QK norm before RoPE")
    if attention.qk_norm:
        words.append("QK norm")
    if attention.chunk_size is not None:
        words.append(f"chunks of {attention.chunk_size}")
    if attention.temperature is not None:
        t = attention.temperature
        words.append(f"temperature (attn_scale {t.attn_scale:g}, floor_scale {t.floor_scale})")
    gate = "gated " if ffn.gated else ""
    if ffn.moe is None:
        words.append(f"FFN {gate}{ffn.activation} {ffn.intermediate_size}")
    else:
        words.append(
            f"MoE of {ffn.moe.num_experts} experts {gate}{ffn.activation} {ffn.intermediate_size} "
            f"and a shared expert of {ffn.moe.shared_intermediate_size}"
        )
    return ", ".join(words)
