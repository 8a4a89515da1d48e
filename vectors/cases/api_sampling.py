"""Interface: sampled answers."""

from __future__ import annotations

from typing import Any

from vectors.cases.api import PROMPT, inference, loaded
from vectors.kit.api_scenario import Interface
from vectors.kit.computed import computed

Json = Any


@computed("api", "LLQ-API-14", "LLQ-API-15")
def answer_sampled_twice() -> Interface:
    """The same seed MUST give the same text, whatever calls are made in between, streamed or not."""

    def sampled(action: str, seed: int, **members: Json) -> dict[str, Json]:
        options = {"maxTokens": 12, "temperature": 6, "topK": 40, "topP": 0.95, "seed": seed}
        call = {"do": action, "prompt": PROMPT, "options": options, "rule": "LLQ-API-14"}
        return {**call, "expect": members}

    return loaded(
        sampled("infer", 7),
        sampled("infer", 8),
        inference(maxTokens=4).step("infer", "10"),
        sampled("infer", 7, same=1),
        sampled("stream", 8, same=2),
        sampled("infer", -8),
        sampled("infer", -8, same=6),
    )


SAMPLED: dict[str, dict[str, Json]] = {
    "a seed of few bits": {"temperature": 20, "topK": 4, "seed": 184},
    "a seed of 33 bits": {"temperature": 20, "topK": 4, "seed": 2**32 + 129},
    "a seed of 53 bits": {"temperature": 20, "topK": 4, "seed": 2**53 - 2**32 + 150},
    "a negative seed": {"temperature": 20, "topK": 4, "seed": -1048418},
    "topK of 3": {"temperature": 12, "topK": 3, "seed": 233},
    "topK of 2": {"temperature": 24, "topK": 2, "seed": 516},
    "topP": {"temperature": 20, "topK": 6, "topP": 0.7, "seed": 451},
}
"""Options with a clear answer that is not greedy: another seed, temperature, topK or topP changes it."""


@computed("api", "LLQ-GEN-3", "LLQ-API-15", cases=SAMPLED)
def answer_sampled_with(options: dict[str, Json]) -> Interface:
    """An answer is sampled with {}: infer and stream MUST give the text of the tokens that GEN-3 draws."""
    of = inference(maxTokens=8, **options)
    return loaded(of.step("infer", "LLQ-GEN-3"), of.step("stream", "LLQ-GEN-3"))


@computed("api", "LLQ-GEN-10")
def answer_sampled_with_a_large_top_k() -> Interface:
    """An answer is sampled with topK 2^32 and above: it keeps all tokens, and topP alone limits them."""
    options: dict[str, Json] = {"temperature": 6, "topP": 0.4, "seed": 3, "maxTokens": 6}
    steps = [inference(topK=top_k, **options).step("infer", "LLQ-GEN-10") for top_k in (2**32, 2**53 - 1)]
    return loaded(*steps)
