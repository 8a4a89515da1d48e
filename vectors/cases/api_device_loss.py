"""Interface: answers during which the device is lost."""

from __future__ import annotations

from vectors.cases.api import LOAD, SCRIPT, inference
from vectors.kit.api_scenario import Inference, Interface
from vectors.kit.computed import computed


@computed("api", "LLQ-API-23")
def device_lost() -> Interface:
    """The device is lost after two pieces: this text and the next MUST be complete or fail as device-lost."""
    lost = {"lost": True}
    first, second = (inference().step("stream", "23", **members) for members in ({"lose": 2}, {}))
    steps = ({**step, "expect": {**step["expect"], **lost}} for step in (first, second))
    return Interface(SCRIPT, [LOAD, *steps])


LOST: dict[str, Inference] = {
    "of at most nine tokens": inference(maxTokens=9),
    "of at most two tokens": inference(maxTokens=2),
    "that is sampled": inference(maxTokens=8, temperature=20, topK=4, seed=55),
}


@computed("api", "LLQ-API-23", "LLQ-API-12", cases=LOST)
def device_lost_in_an_answer(of: Inference) -> Interface:
    """The device is lost after two pieces of an answer {}: the text MUST be whole, or fail as device-lost."""
    step = of.step("stream", "23", lose=2)
    return Interface(SCRIPT, [LOAD, {**step, "expect": {**step["expect"], "lost": True}}])
