"""Interface: what is refused."""

from __future__ import annotations

from typing import Any

from vectors.cases.api import HERE, LOAD, PROMPT, SCRIPT, fails, inference, loaded
from vectors.kit.api_scenario import Interface
from vectors.kit.computed import computed

Json = Any


WRONG: dict[str, tuple[Json, dict[str, Json]]] = {
    "half a token": (PROMPT, {"maxTokens": 0.5}),
    "a number of tokens below 0": (PROMPT, {"maxTokens": -1}),
    "a temperature below 0": (PROMPT, {"temperature": -0.5}),
    "topK below 0": (PROMPT, {"topK": -1}),
    "topP above 1": (PROMPT, {"topP": 1.5}),
    "half a seed": (PROMPT, {"seed": 0.5}),
    "an empty stop text": (PROMPT, {"stop": [""]}),
    "no messages": ([], {}),
    "a number for a prompt": (7, {}),
    "a message without content": ([{"role": "user"}], {}),
}


@computed("api", "LLQ-API-8", "LLQ-API-7")
def calls_that_make_no_sense() -> Interface:
    """Options and prompts are out of range: each call MUST fail with code input, the next MUST succeed."""
    steps = [
        {"do": action, "prompt": prompt, "options": options, **fails("8", "input")}
        for prompt, options in WRONG.values()
        for action in ("infer", "stream")
    ]
    return loaded(*steps, inference().step("infer", "8"))


@computed("api", "LLQ-API-35", "LLQ-API-7")
def calls_with_an_unknown_option() -> Interface:
    """Calls have an option that no runtime knows: each MUST fail with code input, the next MUST succeed."""
    unknown = {"options": {"llqUnknownOption": 1}, **fails("35", "input")}
    calls: list[dict[str, Json]] = [
        {"do": "infer", "prompt": PROMPT},
        {"do": "stream", "prompt": PROMPT},
        {"do": "profile"},
        {"do": "tokenizer", "url": f"{HERE}tokenizer.json"},
    ]
    return loaded(*({**call, **unknown} for call in calls), inference().step("infer", "10"))


@computed("api", "LLQ-API-35", "LLQ-API-7")
def load_with_an_unknown_option() -> Interface:
    """LoadModel is called with an option that no runtime knows: it MUST fail with code input."""
    return Interface(SCRIPT, [{**LOAD, "options": {"llqUnknownOption": 1}, **fails("35", "input")}])


CONTEXTS: dict[str, Json] = {"0": 0, "a fraction": 1.5}


@computed("api", "LLQ-API-8", "LLQ-API-7", cases=CONTEXTS)
def context_length_of(positions: Json) -> Interface:
    """LoadModel is called with a contextLength of {}: it MUST fail with code input."""
    return Interface(SCRIPT, [{**LOAD, "options": {"contextLength": positions}, **fails("8", "input")}])


@computed("api", "LLQ-API-8", "LLQ-API-7")
def device_that_is_a_number() -> Interface:
    """A load gives a number as the device: it MUST fail with code input."""
    return Interface(SCRIPT, [{**LOAD, "options": {"device": 7}, **fails("8", "input")}])


@computed("api", "LLQ-API-20", "LLQ-API-7")
def context_longer_than_the_models() -> Interface:
    """A contextLength is above the model's: loading MUST fail as context, and request no shard."""
    load = {**LOAD, "options": {"contextLength": 257}, **fails("20", "context")}
    return Interface(SCRIPT, [{**load, "expect": {**load["expect"], "unrequested": ".llq"}}])


@computed("api", "LLQ-API-12", "LLQ-API-17", "LLQ-API-20")
def context_of_few_positions() -> Interface:
    """The context has 8 positions: an answer MUST end at the last one; a longer prompt MUST be refused."""
    load = {**LOAD, "options": {"contextLength": 8}, "expect": {"contextLength": 8}}
    of = inference(context=8)
    long = {"do": "infer", "prompt": "hhhhhhhhh", **fails("20", "context")}
    return Interface(SCRIPT, [load, of.step("stream", "12"), long, of.step("infer", "12")])
