"""Interface: a model with LLQ_attention_affine loads and answers as every other model does."""

from __future__ import annotations

from dataclasses import replace

from vectors.cases.api import LOAD, PROMPT, SCRIPT
from vectors.kit.api_scenario import Inference, Interface
from vectors.kit.computed import computed

BIASED = replace(SCRIPT, bias=True)


@computed("api", "LLQ-API-1", "LLQ-API-10")
def affine_model_loaded() -> Interface:
    """A package requires LLQ_attention_affine: the model MUST load and answer."""
    answer = Inference(BIASED, PROMPT)
    return Interface(BIASED, [LOAD, answer.step("infer", "10"), answer.step("stream", "15")])
