"""Models that the exporter reads, by `model_type` of Hugging Face and `general.architecture` of GGUF.

For other known models, `UNSUPPORTED` lists the properties for which LLQ has no rule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llq_format.exporting.checkpoint import gguf_dense, gguf_llama4, llama, llama4
from llq_format.exporting.checkpoint.checkpoint import Architecture, TensorSource
from llq_format.exporting.checkpoint.keys import Keys


@dataclass(frozen=True)
class Family:
    """The meaning of a `model_type`.

    `class_name` is the only class that `architectures` may name. `read` derives the architecture from the
    configuration of the text decoder and the weights. `text_config` finds that configuration inside a larger
    one.
    """

    class_name: str
    read: Callable[[Keys, TensorSource], Architecture]
    text_config: Callable[[Keys], Keys] | None = None


HUGGING_FACE = {
    "ernie4_5": Family("Ernie4_5ForCausalLM", llama.ERNIE.read),
    "granite": Family("GraniteForCausalLM", llama.GRANITE.read),
    "helium": Family("HeliumForCausalLM", llama.HELIUM.read),
    "llama": Family("LlamaForCausalLM", llama.LLAMA.read),
    "llama4": Family("Llama4ForConditionalGeneration", llama4.from_huggingface, llama4.text_config),
    "llama4_text": Family("Llama4ForCausalLM", llama4.from_huggingface),
    "mistral": Family("MistralForCausalLM", llama.MISTRAL.read),
    "phi3": Family("Phi3ForCausalLM", llama.PHI3.read),
    "qwen2": Family("Qwen2ForCausalLM", llama.QWEN2.read),
    "qwen3": Family("Qwen3ForCausalLM", llama.QWEN3.read),
    "smollm3": Family("SmolLM3ForCausalLM", llama.SMOLLM3.read),
}
"""By `model_type`."""

GGUF: dict[str, Callable[[Keys, TensorSource], Architecture]] = {
    "granite": gguf_dense.GRANITE.read,
    "llama": gguf_dense.LLAMA.read,
    "llama4": gguf_llama4.read,
    "phi3": gguf_dense.PHI3.read,
    "qwen2": gguf_dense.QWEN2.read,
    "qwen3": gguf_dense.QWEN3.read,
    "smollm3": gguf_dense.SMOLLM3.read,
}
"""By `general.architecture`."""

_EXPERTS = "mixtures with several experts for each token"
_BIASES = "biases of q, k and v"
_WEIGHTED_QK = "norms of q and k with weights"
_LAYER_NORM = "layer norms"
_POST_NORMS = "norms after attention and FFN"
_SOFT_CAPS = "soft caps of scores and logits"
_WINDOWS = "sliding windows"
_PARTIAL = "RoPE of a part of each head"
_SSM = "state-space or recurrent layers"
_LATENT = "latent attention"
_SQUARED = "the activation relu²"
_TANH = "the activation gelu_pytorch_tanh"
_PARALLEL = "attention and FFN in parallel"

UNSUPPORTED: Mapping[str, tuple[str, ...]] = {
    "apertus": (_WEIGHTED_QK, "the activation xIELU"),
    "arcee": (_SQUARED,),
    "bitnet": ("norms within attention and FFN", _SQUARED),
    "bloom": ("ALiBi", _LAYER_NORM, _BIASES),
    "cohere": (_LAYER_NORM, _PARALLEL),
    "cohere2": (_LAYER_NORM, _PARALLEL, _WINDOWS),
    "cwm": (_WINDOWS,),
    "dbrx": (_LAYER_NORM, _EXPERTS),
    "deepseek_v2": (_LATENT, _EXPERTS),
    "deepseek_v3": (_LATENT, _EXPERTS),
    "exaone4": (_WEIGHTED_QK, _POST_NORMS),
    "falcon": (_LAYER_NORM, _PARALLEL),
    "falcon_h1": (_SSM,),
    "gemma": (_TANH,),
    "gemma2": (_TANH, _SOFT_CAPS, _POST_NORMS, _WINDOWS),
    "gemma3_text": (_TANH, _WEIGHTED_QK, _POST_NORMS, _WINDOWS),
    "glm": (_PARTIAL, _BIASES),
    "glm4": (_PARTIAL, _POST_NORMS),
    "gpt2": (_LAYER_NORM, "learned positions", _BIASES),
    "gpt_neox": (_LAYER_NORM, _PARALLEL, _PARTIAL, _BIASES),
    "gpt_oss": (_EXPERTS, "attention sinks", _BIASES, _WINDOWS),
    "granitemoe": (_EXPERTS,),
    "granitemoehybrid": (_SSM, _EXPERTS),
    "hunyuan_v1_dense": (_WEIGHTED_QK,),
    "jamba": (_SSM, _EXPERTS),
    "lfm2": ("short convolutions", _WEIGHTED_QK),
    "mamba": (_SSM,),
    "ministral": (_WINDOWS,),
    "mixtral": (_EXPERTS,),
    "mpt": ("ALiBi", _LAYER_NORM),
    "nemotron": (_LAYER_NORM, _SQUARED, _PARTIAL),
    "olmo": (_LAYER_NORM,),
    "olmo2": (_WEIGHTED_QK, _POST_NORMS),
    "olmo3": (_WEIGHTED_QK, _POST_NORMS, _WINDOWS),
    "olmoe": (_EXPERTS, _WEIGHTED_QK),
    "phi": (_LAYER_NORM, _PARALLEL, _PARTIAL, _BIASES),
    "phimoe": (_EXPERTS, _LAYER_NORM, _BIASES),
    "qwen2_moe": (_EXPERTS, _BIASES),
    "qwen3_moe": (_EXPERTS, _WEIGHTED_QK),
    "qwen3_next": (_SSM, _EXPERTS),
    "seed_oss": (_BIASES,),
    "stablelm": (_LAYER_NORM, _PARTIAL),
    "starcoder2": (_LAYER_NORM, _BIASES),
}
"""Properties that LLQ has no rule for, by `model_type`."""

_GGUF_NAMES = {
    "cohere2": "cohere2",
    "command-r": "cohere",
    "deepseek2": "deepseek_v2",
    "falcon-h1": "falcon_h1",
    "gemma3": "gemma3_text",
    "gpt-oss": "gpt_oss",
    "gptneox": "gpt_neox",
    "hunyuan-dense": "hunyuan_v1_dense",
    "phi2": "phi",
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "qwen3next": "qwen3_next",
}
"""`model_type` by `general.architecture`, where these differ."""


def refusal(key: str, name: str, supported: Mapping[str, object]) -> str:
    """Return why a model is not supported: by its properties if they are known, else by the supported names.

    key: `model_type` or `general.architecture`, whose value is `name`.
    """
    known = _GGUF_NAMES.get(name, name) if key == "general.architecture" else name
    if known in UNSUPPORTED:
        return f"is {name!r}, but LLQ has no rule for {listing(UNSUPPORTED[known])}"
    return f"is {name!r}; supported are {', '.join(map(repr, supported))}"


def listing(properties: tuple[str, ...]) -> str:
    """Return properties as a part of a sentence."""
    *most, last = properties
    return f"{', '.join(most)} and {last}" if most else last
