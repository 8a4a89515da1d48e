"""Invalid: stage model, other than names."""

from __future__ import annotations

from typing import Any

from vectors.cases.control import control_model, control_raw
from vectors.kit.model import layer, model_package, tiny, with_tokenizer
from vectors.kit.package import Package
from vectors.kit.registry import Key, invalid


@invalid("LLQ-EXT-2")
def extension_data_not_used() -> Package:
    """The root has data of an extension that extensions_used does not name."""
    return control_raw().set("/extensions_used", ["XX_other"]).set("/extensions", {"XX_sparsity": {}})


@invalid("LLQ-EXT-2")
def extension_data_without_list() -> Package:
    """The root has data of an extension, and there is no extensions_used."""
    return control_raw().set("/extensions", {"XX_sparsity": {}})


@invalid("LLQ-EXT-2")
def extension_data_of_a_tensor_not_used() -> Package:
    """A tensor has data of an extension that extensions_used does not name."""
    return control_raw().set("/extensions_used", []).set("/tensors/0/extensions", {"XX_sparsity": {}})


def model(**changes: Any) -> Package:
    """Return a changed model, its tensors fitting it."""
    return with_tokenizer(model_package(tiny(**changes)))


@invalid("LLQ-MODEL-1", cases={"3 and 2": (3, 2), "1 and 2": (1, 2)})
def heads(numbers: tuple[int, int]) -> Package:
    """num_heads and num_kv_heads are {}: num_heads MUST be a multiple of num_kv_heads."""
    return model(num_heads=numbers[0], num_kv_heads=numbers[1])


@invalid("LLQ-MODEL-2")
def qk_norm_without_rope() -> Package:
    """A layer has qk_norm but no RoPE: it MUST have rope true."""
    return model(layers=[layer(), layer({"rope": False, "qk_norm": True})])


@invalid("LLQ-MODEL-2")
def temperature_with_rope() -> Package:
    """A layer has temperature and RoPE: it MUST have rope false."""
    return model(layers=[layer({"temperature": {"attn_scale": 0.1, "floor_scale": 8192}})])


@invalid("LLQ-MODEL-3")
def ungated_experts() -> Package:
    """A layer with experts is not gated: it MUST have gated true."""
    moe = {"num_experts": 2, "shared_intermediate_size": 1}
    return model(layers=[layer(None, {"gated": False, "moe": moe})])


@invalid("LLQ-MODEL-4", cases={"2": 2})
def fp16_layers_of_one(number: int) -> Package:
    """fp16_layers is {} in a model of one layer, and MUST be at most the number of layers."""
    return model(activations={"fp16_layers": number})


TOKENS = {
    "bos_token_id is vocab_size": ("/tokenizer/bos_token_id", 5),
    Key("the last eos token is too great", "the last eos token is too large"): (
        "/tokenizer/eos_token_ids",
        [0, 4, 16_777_215],
    ),
    "the only eos token is 65536": ("/tokenizer/eos_token_ids", [65_536]),
}


@invalid("LLQ-MODEL-5", cases=TOKENS)
def token(change: tuple[str, Any]) -> Package:
    """A token id is outside the vocabulary ({}): it MUST be less than vocab_size."""
    return control_model().set(*change)
