"""Interface: sessions, and what a model keeps of earlier prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from vectors.cases.api import LOAD, PROMPT, SCRIPT, SHARED, fails, inference
from vectors.cases.tokenization import BEGIN, BPE
from vectors.kit.api_scenario import Inference, Interface
from vectors.kit.computed import computed

Json = Any
Step = dict[str, Json]
CONTEXT = 256
"""Positions of the model."""


@dataclass
class Calls:
    """Calls of sessions, whose sequences are known after each call."""

    steps: list[Step] = field(default_factory=list)
    ids: dict[str, list[int]] = field(default_factory=dict)
    context: int = CONTEXT

    def session(self, name: str = "a") -> Calls:
        """Add a call that makes an empty session."""
        self.ids[name] = []
        options = {} if self.context == CONTEXT else {"contextLength": self.context}
        expected = {"length": 0, "positions": self.context}
        return self._add({"do": "session", "as": name, "options": options}, "39", expected)

    def ask(
        self,
        action: str,
        prompt: str | Sequence[dict[str, str]] | None,
        name: str = "a",
        rule: str = "40",
        **options: Json,
    ) -> Calls:
        """Add a call of infer or stream, which succeeds."""
        asked = self._inference(prompt, name, options)
        _, count, _ = asked.answer()
        ids = asked.ids()
        self.ids[name] = [*ids, *asked.tokens(ids, count)]
        step = asked.step(action, rule, session=name)
        expected = {**step["expect"], "length": len(self.ids[name])}
        self.steps.append({**step, "expect": expected})
        return self

    def begin(self, prompt: str | None, name: str = "a", **members: Json) -> Calls:
        """Add a stream that is not read to its end: it leaves the sequence unchanged."""
        step = self._inference(prompt, name, {}).begun("45", "aborted", session=name, **members)
        self.steps.append({**step, "expect": {**step["expect"], "length": len(self.ids[name])}})
        return self

    def append(self, text: str, name: str = "a") -> Calls:
        """Add a call of append, which succeeds."""
        bos = [] if self.ids[name] else [BPE.special_id(BEGIN)]
        self.ids[name] += [*bos, *BPE.encode(text)]
        return self._add({"do": "append", "session": name, "text": text}, "42", self._length(name))

    def truncate(self, length: int, name: str = "a") -> Calls:
        """Add a call of truncate, which succeeds."""
        del self.ids[name][length:]
        return self._add({"do": "truncate", "session": name, "length": length}, "43", self._length(name))

    def fork(self, copy: str, name: str = "a") -> Calls:
        """Add a call of fork, which succeeds."""
        self.ids[copy] = list(self.ids[name])
        return self._add({"do": "fork", "session": name, "as": copy}, "44", self._length(copy))

    def dispose(self, name: str = "a") -> Calls:
        """Add a call of dispose."""
        return self._add({"do": "dispose", "session": name}, "48", {})

    def fail(self, rule: str, code: str, call: Step, name: str = "a") -> Calls:
        """Add a call of a session that fails and leaves its sequence unchanged."""
        expected = {**fails(rule, code)["expect"], **self._length(name)}
        self.steps.append(
            {
                **call,
                "session": name,
                **fails(rule, code),
                "expect": expected,
            }
        )
        return self

    def add(self, *steps: Step) -> Calls:
        """Add other steps."""
        self.steps += steps
        return self

    def _inference(
        self, prompt: str | Sequence[dict[str, str]] | None, name: str, options: dict[str, Json]
    ) -> Inference:
        return Inference(SCRIPT, prompt, options, self.context, sequence=tuple(self.ids[name]))

    def _length(self, name: str) -> dict[str, Json]:
        return {"length": len(self.ids[name])}

    def _add(self, call: Step, rule: str, expected: dict[str, Json]) -> Calls:
        self.steps.append({**call, "rule": f"LLQ-API-{rule}", "expect": expected})
        return self


@computed("api", "LLQ-API-39", "LLQ-API-40")
def session_asked_several_times() -> Interface:
    """A session is asked: it MUST answer as the model does, and null MUST continue its sequence."""
    calls = Calls().session().ask("infer", PROMPT, maxTokens=4).ask("stream", None, maxTokens=3)
    calls.ask("stream", None).ask("stream", f"llo {PROMPT}", maxTokens=6)
    calls.ask("infer", None, maxTokens=8, stop=["日"]).add(inference().step("infer", "10"))
    return Interface(SCRIPT, [SHARED, *calls.steps])


@computed("api", "LLQ-API-40", "LLQ-API-11")
def session_of_a_conversation() -> Interface:
    """Each turn passes all messages: the session MUST answer as the model does."""
    question = {"role": "user", "content": "llo"}
    answer, _, _ = inference([question], maxTokens=5).answer()
    following = [question, {"role": "assistant", "content": answer}, {"role": "user", "content": PROMPT}]
    calls = Calls().session().ask("stream", [question], maxTokens=5).ask("stream", following, maxTokens=7)
    return Interface(SCRIPT, [SHARED, *calls.steps])


@computed("api", "LLQ-API-42")
def session_appended_to() -> Interface:
    """Texts are appended: each MUST be encoded by itself, with BOS in front of the first alone."""
    calls = Calls().session().append("llo ").append("").append("he").append("llo hello")
    return Interface(SCRIPT, [SHARED, *calls.ask("stream", None).append(PROMPT).ask("infer", None).steps])


@computed("api", "LLQ-API-43", "LLQ-API-8")
def session_truncated() -> Interface:
    """A session is truncated: it MUST continue after the tokens that remain, and refuse other lengths."""
    calls = Calls().session().append(PROMPT).ask("infer", None, maxTokens=9)
    for length in (12, -1, 1.5, None):
        calls.fail("43", "input", {"do": "truncate", "length": length})
    calls.truncate(5).ask("infer", None).truncate(2).ask("stream", None, maxTokens=3).truncate(0)
    calls.fail("40", "input", {"do": "infer", "prompt": None}).ask("infer", PROMPT, maxTokens=2)
    return Interface(SCRIPT, [SHARED, *calls.steps])


@computed("api", "LLQ-API-44")
def session_forked() -> Interface:
    """A session is forked: both MUST continue from the same sequence, and neither MUST change the other."""
    calls = Calls().session().ask("infer", PROMPT, maxTokens=3).fork("b")
    calls.ask("infer", None, "b", maxTokens=4).ask("stream", None, rule="44", maxTokens=4).truncate(2)
    calls.ask("stream", None, "b").dispose().fork("c", "b").truncate(4, "b").ask("infer", None, "b")
    return Interface(SCRIPT, [SHARED, *calls.ask("infer", f"llo {PROMPT}", "c").steps])


@computed("api", "LLQ-API-45", "LLQ-API-18")
def session_after_calls_that_are_aborted() -> Interface:
    """Streams are aborted or left: the sequence of the session MUST be as before, and go on from there."""
    calls = Calls().session().ask("infer", PROMPT, maxTokens=2).begin(None, abort=2).begin(None, leave=3)
    calls.begin(PROMPT, abort=1).begin(None, abort="before").ask("stream", None, maxTokens=4)
    return Interface(SCRIPT, [SHARED, *calls.steps])


@computed("api", "LLQ-API-39", "LLQ-API-40", "LLQ-API-42", "LLQ-API-45")
def session_of_few_positions() -> Interface:
    """The context of a session has 8 positions: what exceeds it MUST be refused with code context."""
    too_long = {"do": "session", "as": "b", "options": {"contextLength": CONTEXT + 1}}
    calls = Calls(context=8).session().ask("stream", PROMPT)
    calls.fail("40", "context", {"do": "stream", "prompt": "llo " * 3}).truncate(2)
    calls.fail("42", "context", {"do": "append", "text": "llo " * 3}).ask("infer", None)
    return Interface(SCRIPT, [SHARED, *calls.steps, {**too_long, **fails("39", "context")}])


NONSENSE: list[Step] = [
    {"do": "infer", "prompt": 7},
    {"do": "stream", "prompt": []},
    {"do": "infer", "prompt": PROMPT, "options": {"maxToken": 4}},
    {"do": "append", "text": None},
    {"do": "append", "text": PROMPT, "options": {"llqUnknownOption": 1}},
]


@computed("api", "LLQ-API-40", "LLQ-API-8", "LLQ-API-35")
def session_called_with_arguments_that_make_no_sense() -> Interface:
    """Calls of a session are wrong: each MUST fail with code input and leave the session unchanged."""
    calls = Calls().session().append(PROMPT)
    for call in NONSENSE:
        calls.fail("35" if "options" in call else "8", "input", call)
    nonsense = {"do": "session", "as": "b", "options": {"contextLength": 0}, **fails("8", "input")}
    return Interface(SCRIPT, [SHARED, *calls.ask("infer", None).add(nonsense).steps])


@computed("api", "LLQ-API-47", "LLQ-API-7")
def sessions_beyond_the_limit() -> Interface:
    """The model may have two sessions: further ones MUST be refused with code sessions until one ends."""
    calls = Calls().session().session("b").ask("infer", PROMPT, maxTokens=2)
    calls.add({"do": "session", "as": "c", "options": {}, **fails("47", "sessions")})
    calls.fail("47", "sessions", {"do": "fork", "as": "c"}).ask("infer", None, maxTokens=2)
    calls.dispose("b").fork("c").ask("infer", None, "c", maxTokens=2)
    return Interface(SCRIPT, [{**LOAD, "options": {"maxSessions": 2}}, *calls.steps])


@computed("api", "LLQ-API-48", "LLQ-API-7")
def session_disposed_of() -> Interface:
    """A session is disposed of: its calls MUST fail; those of the model and of other sessions MUST not."""
    calls = Calls().session().ask("infer", PROMPT, maxTokens=2).fork("b").dispose().dispose()
    refused: list[Step] = [
        {"do": "infer", "prompt": None},
        {"do": "stream", "prompt": PROMPT},
        {"do": "append", "text": PROMPT},
        {"do": "truncate", "length": 1},
        {"do": "fork", "as": "c"},
    ]
    for call in refused:
        calls.add({**call, "session": "a", **fails("48", "disposed")})
    calls.ask("infer", None, "b", maxTokens=2).add(inference(maxTokens=4).step("infer", "48"))
    calls.add({"do": "dispose", "rule": "LLQ-API-22", "expect": {}})
    calls.add({"do": "infer", "session": "b", "prompt": None, **fails("48", "disposed")})
    return Interface(SCRIPT, [LOAD, *calls.steps])


@computed("api", "LLQ-API-46", "LLQ-API-19")
def sessions_asked_at_once() -> Interface:
    """Calls of two sessions and of the model are made at once: each MUST be answered, in order."""
    calls = Calls().session().session("b")
    asked = Calls(ids=calls.ids).append(PROMPT).ask("stream", None, maxTokens=6).append("llo", "b")
    asked.add(inference(maxTokens=3).step("infer", "19")).ask("infer", PROMPT, "b", maxTokens=3)
    steps = [_without_length(step) for step in asked.steps]
    together = {"do": "together", "steps": steps, "rule": "LLQ-API-46"}
    calls.add({**together, "expect": {"order": list(range(len(steps)))}})
    return Interface(SCRIPT, [SHARED, *calls.ask("infer", None, maxTokens=2).steps])


def _without_length(step: Step) -> Step:
    """Return a step whose length is not compared: other calls may have been answered when it is read."""
    return {**step, "expect": {name: value for name, value in step["expect"].items() if name != "length"}}


@computed("api", "LLQ-API-49", "LLQ-API-23")
def device_lost_in_an_answer_of_a_session() -> Interface:
    """The device is lost after two pieces: each answer MUST be complete or fail as device-lost."""
    calls = Calls().session().ask("infer", PROMPT, maxTokens=2).ask("stream", None).ask("stream", PROMPT)
    opened, first, lost, following = calls.steps
    return Interface(SCRIPT, [LOAD, opened, first, *map(_lost, ({**lost, "lose": 2}, following))])


def _lost(step: Step) -> Step:
    expected = _without_length(step)["expect"]
    return {**step, "rule": "LLQ-API-49", "expect": {**expected, "lost": True}}


@computed("api", "LLQ-API-14")
def prompts_with_a_common_beginning() -> Interface:
    """Prompts begin alike: each text MUST be the text of a model that was asked nothing before."""
    start = "".join(chr(33 + 7 * n % 90) for n in range(140))
    prompts = [f"{start}hello", f"{start[:130]} ll hello", f"{start[:64]}!{start[65:]}hello"]

    def asked(prompt: str, **members: Json) -> Step:
        options = {"maxTokens": 12, "temperature": 4, "seed": 5}
        call = {"do": "infer", "prompt": prompt, "options": options, "rule": "LLQ-API-14"}
        return {**call, "expect": members}

    fresh = [step for n, prompt in enumerate(prompts) for step in (LOAD, asked(prompt, same=n + 1))]
    return Interface(replace(SCRIPT, loud=True), [LOAD, *map(asked, prompts), *fresh])
