"""Questions to the JavaScript interface: calls, in order, and the expected result of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vectors.kit.computed import Answer, packaged
from vectors.kit.sampled_script import GAP, adjusted, logprobs, sampled
from vectors.kit.script import Script, answer_ids, package_of

Json = Any
Message = dict[str, str]
HOME = "api"
BACKTRACKING: dict[str, Json] = {
    "pre_tokenizer": {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    }
}
"""A regular expression for which an engine that backtracks needs exponential time."""
ADJUSTING = frozenset({"minP", "repetitionPenalty", "logitBias"})
LOGPROB_BOUND = 2 * GAP
"""How far a log-probability may be away: legal logits differ by less than a gap, and so does their sum."""

MANY = 128
"""Default of `maxTokens`."""


@dataclass(frozen=True)
class Inference:
    """A prompt with the options of `infer`, and the answer that a script gives.

    prompt: None continues `sequence`, the ids of a session.
    """

    script: Script
    prompt: str | Sequence[Message] | None
    options: Mapping[str, Json] = field(default_factory=dict)
    context: int | None = None
    masks: Sequence[tuple[int, ...] | None] = ()
    sequence: Sequence[int] = ()

    def ids(self) -> list[int]:
        """Return the ids of the prompt."""
        if self.prompt is None:
            return list(self.sequence)
        if not isinstance(self.prompt, str):
            return self.script.bpe.encode(self.script.rendered(self.prompt))
        ids = self.script.bpe.encode(self.prompt)
        bos = self.script.bpe.special_id(self.script.bos)
        return ids if ids[:1] == [bos] else [bos, *ids]

    def answer(self) -> tuple[str, int, str]:
        """Return the text, how many tokens were chosen for it, and why it ended."""
        ids = self.ids()
        most = int(self.options.get("maxTokens", MANY))
        if self.context is not None:
            most = min(most, self.context - len(ids) + 1)
        tokens = self.tokens(ids, most)
        for count in range(len(tokens) + 1):
            text = self.text(tokens[:count], "ignore")
            if (cut := self.cut(text)) is not None:
                return text[:cut], count, "stop"
        return self.text(tokens, "replace"), len(tokens), "length" if len(tokens) == most else "stop"

    def tokens(self, ids: Sequence[int], most: int) -> tuple[int, ...]:
        """Return the tokens that are chosen, at most `most`; every choice is clear."""
        if self.masks or ADJUSTING & self.options.keys():
            answer = adjusted(self.script, ids, self.options, self.masks)
            if not answer.clear:
                raise ValueError(f"a token of {self.options} is in the guard band")
            return answer.tokens
        if not self.options.get("temperature"):
            return answer_ids(self.script, tuple(ids))[:most]
        answer = sampled(self.script, ids, self.options)
        if not answer.clear:
            raise ValueError(f"a token of {self.options} is in the guard band")
        return answer.tokens

    def logprobs(self, count: int) -> list[dict[str, Json]]:
        """Return the log-probabilities of the first tokens of the answer."""
        ids = self.ids()
        tokens = self.tokens(ids, count)[:count]
        top = self.options["logprobs"]
        return [logprobs(self.script, [*ids, *tokens[:n]], token, top) for n, token in enumerate(tokens)]

    def text(self, tokens: Sequence[int], errors: str) -> str:
        """Return the text of tokens without special tokens; `errors` is about characters cut short."""
        pieces = self.script.bpe.pieces
        return b"".join(pieces[token] for token in tokens if token < len(pieces)).decode(errors=errors)

    def cut(self, text: str) -> int | None:
        """Return where the stop text begins that is complete first, the longest of several."""
        stop = self.options.get("stop", [])
        texts = [stop] if isinstance(stop, str) else stop
        matches = [(at + len(stop_text), at) for stop_text in texts if (at := text.find(stop_text)) >= 0]
        return min(matches)[1] if matches else None

    def step(self, action: str, rule: str, **members: Json) -> dict[str, Json]:
        """Return the call as a step, with the answer that has to come of it.

        rule: the number of a rule of the interface, or the id of another rule.
        """
        text, count, end = self.answer()
        prompt = len(self.ids())
        expected: dict[str, Json] = {"text": text}
        if action == "stream":
            usage = {"promptTokens": prompt, "completionTokens": count, "totalTokens": prompt + count}
            expected |= {"usage": usage, "finishReason": end}
            if "logprobs" in self.options:
                expected |= {"logprobs": self.logprobs(count), "bound": LOGPROB_BOUND}
        call: dict[str, Json] = {"do": action, "prompt": self.prompt, "options": dict(self.options)}
        if self.masks:
            tokens = self.tokens(self.ids(), count)[:count]
            call["masks"] = [None if mask is None else list(mask) for mask in self.masks]
            expected["masked"] = [list(tokens[:n]) for n in range(count + (end == "stop"))]
        rule = f"LLQ-API-{rule}" if rule.isdigit() else rule
        return {**call, **members, "rule": rule, "expect": expected}

    def begun(self, rule: str, end: str, **members: Json) -> dict[str, Json]:
        """Return a stream that is not read to its end: the text received must begin the answer."""
        text, _, _ = self.answer()
        expected = {"begins": text, "finishReason": end, **({"reason": True} if "abort" in members else {})}
        call = {"do": "stream", "prompt": self.prompt, "options": dict(self.options)}
        return {**call, **members, "rule": f"LLQ-API-{rule}", "expect": expected}


@dataclass(frozen=True)
class Interface:
    """Steps, and how files are served: `faults` is a list of the server's faults."""

    script: Script
    steps: Sequence[dict[str, Json]]
    faults: Sequence[dict[str, Json]] = ()

    def answer(self, _home: str) -> Answer:
        """Return the steps; vectors share the package of their script, its vocabulary next to it."""
        home = f"{HOME}/affine" if self.script.bias else f"{HOME}/context" if self.script.loud else HOME
        files = packaged(home, package_of(self.script).seal().files)
        model = json.loads(self.script.bpe.json())["model"]
        vocab = json.dumps(model["vocab"], ensure_ascii=False, indent=1) + "\n"
        merges = "".join(f"{left} {right}\n" for left, right in model["merges"])
        files[f"{home}/vocabulary/backtracking.json"] = self.script.bpe.json(BACKTRACKING)
        files[f"{home}/vocabulary/vocab.json"] = vocab.encode()
        files[f"{home}/vocabulary/merges.txt"] = f"#version: 0.2\n{merges}".encode()
        entry = {
            "package": f"{home}/package",
            "vocabulary": f"{home}/vocabulary",
            "steps": list(self.steps),
            "faults": list(self.faults),
            **self.script.subject().needs(),
        }
        return entry, files
