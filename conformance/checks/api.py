"""Check `api`: calls of the JavaScript interface behave as chapter Runtime API specifies."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from ..core.api_scenario import Observations, Scenario, Step
from ..core.check import Failure
from ..core.data import data
from ..core.rules import quote, registry
from ..core.runtime import Runtime
from ..core.vectors import Vector
from . import secrets
from .api_codes import CODES, PHASES
from .api_logprobs import logprob_deviations
from .deviation import SHOWN, Deviation, shortened

PROGRESS, ABORTED_LOAD, ERRORS, ORDER = "LLQ-API-2", "LLQ-API-3", "LLQ-API-7", "LLQ-API-19"
CONCATENATION, CHARACTERS, SUMMARY, PROFILE, LOSS = (
    "LLQ-API-15",
    "LLQ-API-16",
    "LLQ-API-17",
    "LLQ-API-21",
    "LLQ-API-23",
)

MASKS = "LLQ-API-51"

DIFFERENT_TEXT = "different text"
SECOND_READER = "input"
UNFINISHED = "\N{REPLACEMENT CHARACTER}"

Observation = Mapping[str, Any]


def api(runtime: Runtime, vector: Vector, package: Path) -> Failure | None:
    """Make the calls; a failure describes the first unexpected result."""
    scenario = Scenario.of(vector, package)
    observed = runtime.api(scenario)
    all_deviations = deviations(scenario, observed)
    for number, step, deviation in all_deviations:
        lines = [
            f"api {vector.id}: {deviation.headline}",
            f"  vector     {vector.description}",
            f"  breaks     {quote(deviation.rule)}",
            *(f"  about      {quote(rule)}" for rule in vector.rules if rule != deviation.rule),
            f"  step       {number} of {len(scenario.steps)}: {call_text(step)}",
            *([f"  expected   {deviation.expected}"] if deviation.expected else []),
            *([f"  got        {deviation.actual}"] if deviation.actual else []),
            *(f"  server     {shortened(fault)}" for fault in scenario.faults),
            f"  remedy     {registry()[deviation.rule].remedy}",
        ]
        return Failure(deviation.headline, "\n".join(lines), (deviation.rule,))
    return None


def deviations(scenario: Scenario, observed: Observations) -> Iterator[tuple[int, Step, Deviation]]:
    """Yield the deviations in the order of the steps, which are numbered from 1."""
    if len(observed.steps) != len(scenario.steps):
        missing_steps = Deviation(
            ERRORS, f"the adapter reported {len(observed.steps)} of {len(scenario.steps)} steps"
        )
        yield 1, scenario.steps[0], missing_steps
        return
    texts: list[str | None] = []
    inferred = {
        _call(step): observation.get("text")
        for step, observation in zip(scenario.steps, observed.steps, strict=True)
        if step["do"] == "infer" and "session" not in step
    }
    for number, (step, observation) in enumerate(zip(scenario.steps, observed.steps, strict=True), 1):
        texts.append(observation.get("text"))
        for deviation in _step(step, observation, texts, observed):
            stream_differs = step["do"] == "stream" and deviation.headline == DIFFERENT_TEXT
            if stream_differs and inferred.get(_call(step)) == step["expect"].get("text", ""):
                yield number, step, replace(deviation, rule=CONCATENATION)
            else:
                yield number, step, deviation


def _call(step: Step) -> str:
    """Return a key that is equal for calls that must return the same text."""
    return json.dumps([step.get("session"), step.get("prompt"), step.get("options")])


def call_text(step: Step) -> str:
    """Return a call in words."""
    if step["do"] == "together":
        return " and ".join(call_text(call) for call in step["steps"]) + ", at once"
    members = {
        name: step[name]
        for name in step
        if name not in ("do", "rule", "expect", "prompt", "url", "steps", "session")
    }
    arguments = [shortened(step[name]) for name in ("session", "url", "prompt") if name in step]
    return f"{step['do']}({', '.join([*arguments, *([shortened(members)] if members else [])])})"


def _step(
    step: Step, observation: Observation, texts: Sequence[str | None], observed: Observations
) -> Iterator[Deviation]:
    """Yield the deviations of one step; `texts` are the texts of the steps up to this step."""
    if step["do"] == "together":
        yield from _concurrent_deviations(step, observation, observed)
        return
    rule, expected, error = str(step["rule"]), step["expect"], observation.get("error")
    yield from _end_deviations(rule, expected, observation)
    if error is not None and (secret := secrets.shown_secret(step, error["message"])):
        yield Deviation(secrets.RULE, "a message that contains a query or a header", "neither", secret)
    match step["do"]:
        case "load":
            yield from _load_deviations(step, observation, observed)
        case "tokenizer":
            yield from _tokenizer_deviations(rule, expected, observation, observed, step)
        case "stream":
            yield from _stream_deviations(rule, expected, observation)
            if step.get("again"):
                yield from _second_reader_deviations(observation)
        case "infer" if "text" in expected and error is None:
            yield from _text_deviations(rule, expected["text"], observation["text"])
        case "profile" if "layers" in expected and error is None:
            yield from _profile_deviations(expected["layers"], observation["report"])
    yield from _of_session(rule, expected, observation)
    yield from _seed_deviations(rule, expected, texts)
    if "masked" in expected and error is None and observation.get("masked") != expected["masked"]:
        called = f"ids of the answer so far: {shortened(expected['masked'])}"
        yield Deviation(MASKS, "a hook called with other ids", called, shortened(observation.get("masked")))


def _of_session(rule: str, expected: Mapping[str, Any], observation: Observation) -> Iterator[Deviation]:
    """Compare the length of a session after a call, and its memory where it is made."""
    for name, member in (("length", "length"), ("positions", "contextLength")):
        if name in expected and observation.get(member) != expected[name]:
            actual = shortened(observation.get(member))
            yield Deviation(rule, f"different {member} of a session", str(expected[name]), actual)
    if "bytes" in observation and not observation["bytes"]:
        yield Deviation("LLQ-API-24", "a session without memory", "a number of bytes", "0 or no number")


def _end_deviations(rule: str, expected: Mapping[str, Any], observation: Observation) -> Iterator[Deviation]:
    """Yield the deviations in how a call ended."""
    error = observation.get("error")
    if error is not None and not error["reason"] and not expected.get("reason"):
        yield from _error_form_deviations(error)
    if "code" in expected:
        yield from _error_deviations(rule, expected, error)
    elif expected.get("reason"):
        if error is None or not error["reason"]:
            yield Deviation(
                rule,
                "not rejected with the signal's reason",
                "the reason of the signal",
                _outcome(observation),
            )
    elif error is not None and not (expected.get("lost") and error["code"] == "device-lost"):
        yield Deviation(
            rule, f"failed: {error['name']} {error['code'] or ''}".rstrip(), "no error", _outcome(observation)
        )


def _error_form_deviations(error: Observation) -> Iterator[Deviation]:
    rule = error["rule"]
    if error["code"] not in CODES:
        codes = "a code that chapter Runtime API lists"
        yield Deviation(
            ERRORS, "an error with an unknown code", codes, f"{error['name']} {shortened(error['code'])}"
        )
    elif rule is not None and rule not in registry():
        yield Deviation(ERRORS, "an error with an unknown rule", "the id of a rule, or null", shortened(rule))
    elif not error["message"]:
        yield Deviation(ERRORS, "an error without a message")


def _error_deviations(
    rule: str, expected: Mapping[str, Any], error: Observation | None
) -> Iterator[Deviation]:
    """Compare an error with the expected error."""
    rules = expected["rules"]
    expected_error = f"code {' or '.join(expected['code'])}, rule {' or '.join(rules) or 'null'}"
    if error is None:
        yield Deviation(rule, "did not fail", expected_error)
    elif error["reason"]:
        yield Deviation(
            rule, "rejected with the reason of a signal, but no signal was aborted", expected_error
        )
    elif error["code"] not in expected["code"] or error["rule"] not in (rules or [None]):
        actual_error = f"{error['name']} {error['code']}, rule {error['rule'] or 'null'}: {error['message']}"
        yield Deviation(rule, "failed for a different reason", expected_error, actual_error)


def _load_deviations(step: Step, observation: Observation, observed: Observations) -> Iterator[Deviation]:
    """Check the progress, and the activity after an abort."""
    if observation.get("shared"):
        return
    events = observation["progress"]
    yield from _progress_deviations(events)
    if observation.get("error") is None:
        last_event = events[-1] if events else {}
        if (
            last_event.get("phase") != "ready"
            or not last_event["loaded"]
            or last_event["loaded"] != last_event["total"]
        ):
            yield Deviation(
                PROGRESS, "progress does not end with ready", "ready, loaded = total", shortened(last_event)
            )
        if (
            "contextLength" in step["expect"]
            and observation["contextLength"] != step["expect"]["contextLength"]
        ):
            length = str(step["expect"]["contextLength"])
            yield Deviation(
                "LLQ-API-12", "different context length", length, str(observation["contextLength"])
            )
    elif "unrequested" in step["expect"]:
        suffix = step["expect"]["unrequested"]
        if early := [line for line in observed.log if line.startswith("GET") and line.endswith(suffix)]:
            yield Deviation(
                str(step["rule"]), "a file was requested before the call failed", "no request", early[0]
            )
    elif "abort" in step:
        yield from _abort_deviations(step, observed)
        if observation["late"]:
            yield Deviation(
                ABORTED_LOAD, "progress reported after the abort", "none", f"{observation['late']} calls"
            )


def _progress_deviations(events: Sequence[Observation]) -> Iterator[Deviation]:
    """Check the order of phases and the counts."""
    phases = [event["phase"] for event in events]
    if unknown := sorted(set(phases) - set(PHASES)):
        yield Deviation(PROGRESS, "an unknown phase", ", ".join(PHASES), ", ".join(unknown))
        return
    for previous, current in pairwise(events):
        if PHASES.index(current["phase"]) < PHASES.index(previous["phase"]):
            yield Deviation(
                PROGRESS, "phases out of order", ", ".join(PHASES), f"{previous['phase']}, {current['phase']}"
            )
        if current["loaded"] < previous["loaded"]:
            yield Deviation(
                PROGRESS, "progress decreases", f"{previous['loaded']} or more", str(current["loaded"])
            )
    for event in events:
        if event["total"] and event["loaded"] > event["total"]:
            yield Deviation(
                PROGRESS, "loaded exceeds total", f"at most {event['total']}", str(event["loaded"])
            )


def _abort_deviations(step: Step, observed: Observations) -> Iterator[Deviation]:
    """Check the server's log: after an abort there are no requests and no open responses."""
    abort_line = next(
        (i for i, line in enumerate(observed.log) if line.startswith("LEFT")), len(observed.log)
    )
    late = observed.log if step["abort"] == "before" else observed.log[abort_line:]
    late = [line for line in late if line.startswith("GET")]
    if late:
        yield Deviation(ABORTED_LOAD, "requests after the abort", "none", ", ".join(late[:3]))
    if observed.hanging:
        yield Deviation(ABORTED_LOAD, "requests that the abort did not end", "none", str(observed.hanging))


def _tokenizer_deviations(
    rule: str, expected: Mapping[str, Any], observation: Observation, observed: Observations, step: Step
) -> Iterator[Deviation]:
    if observation.get("error") is not None:
        if "abort" in step:
            yield from _abort_deviations(step, observed)
        return
    for member in ("ids", "decoded"):
        if member in expected and observation[member] != expected[member]:
            yield Deviation(
                rule, f"different {member}", shortened(expected[member]), shortened(observation[member])
            )


def _stream_deviations(
    rule: str, expected: Mapping[str, Any], observation: Observation
) -> Iterator[Deviation]:
    """Check the text of a stream, its pieces and its summary."""
    pieces = observation["pieces"]
    full_text = expected.get("text", expected.get("begins"))
    if observation["torn"]:
        yield Deviation(
            CHARACTERS, "a piece ends within a surrogate pair", "", shortened(pieces[observation["torn"][0]])
        )
    text = "".join(pieces) if not observation["torn"] else observation["text"]
    if full_text is not None:
        early = [n for n, piece in enumerate(pieces) if UNFINISHED in piece]
        if early and UNFINISHED not in full_text:
            yield Deviation(
                CHARACTERS,
                "a piece ends within a character",
                shortened(full_text),
                shortened(pieces[early[0]]),
            )
        ended_early = observation.get("error") is not None or "begins" in expected
        if ended_early:
            if not full_text.startswith(text):
                yield Deviation(
                    rule, "different pieces", f"a prefix of {shortened(full_text)}", shortened(text)
                )
        elif text != full_text:
            yield from _text_deviations(rule, full_text, text)
    if "logprobs" in expected and observation.get("error") is None:
        yield from logprob_deviations(expected, observation.get("logprobs"))
    complete = observation.get("error") is None or "begins" in expected
    for member in ("usage", "finishReason"):
        if member in expected and complete and observation[member] != expected[member]:
            to_blame = SUMMARY if observation.get("error") is None and "begins" not in expected else rule
            yield Deviation(
                to_blame, f"different {member}", shortened(expected[member]), shortened(observation[member])
            )


def _second_reader_deviations(observation: Observation) -> Iterator[Deviation]:
    if (code := observation.get("again")) != SECOND_READER:
        yield Deviation(
            CONCATENATION, "a stream can be read twice", f"code {SECOND_READER}", f"code {shortened(code)}"
        )


def _text_deviations(rule: str, expected: str, actual: str) -> Iterator[Deviation]:
    if actual != expected:
        yield Deviation(rule, DIFFERENT_TEXT, shortened(expected), shortened(actual))


def _seed_deviations(
    rule: str, expected: Mapping[str, Any], texts: Sequence[str | None]
) -> Iterator[Deviation]:
    """Compare the text with the text of another step; steps are numbered from 0."""
    if "same" in expected and texts[-1] != texts[expected["same"]]:
        yield Deviation(
            rule,
            "different text for the same seed",
            shortened(texts[expected["same"]]),
            shortened(texts[-1]),
        )


def _profile_deviations(layers: int, report: Any) -> Iterator[Deviation]:
    violation = best_match(_profile_schema().iter_errors(report))
    if violation is not None:
        pointer = "".join(f"/{step}" for step in violation.absolute_path)
        yield Deviation(
            PROFILE,
            "a profile that does not match its schema",
            "schema/profile.schema.json",
            f"{pointer}: {violation.message[:SHOWN]}",
        )
    elif len(report["block_times_ms"]) != layers:
        yield Deviation(
            PROFILE, "wrong number of layer times", f"{layers} times", shortened(report["block_times_ms"])
        )


def _concurrent_deviations(
    step: Step, observation: Observation, observed: Observations
) -> Iterator[Deviation]:
    calls = observation["calls"]
    for call, result in zip(step["steps"], calls, strict=True):
        yield from _step(call, result, [result.get("text")], observed)
    if observation["order"] != step["expect"]["order"]:
        yield Deviation(
            str(step["rule"]),
            "settled in a different order",
            shortened(step["expect"]["order"]),
            shortened(observation["order"]),
        )


def _outcome(observation: Observation) -> str:
    error = observation.get("error")
    if error is None:
        return f"no error{', text ' + shortened(observation['text']) if 'text' in observation else ''}"
    return f"{error['name']} {error['code'] or ''}: {error['message']}"


@cache
def _profile_schema() -> Draft202012Validator:
    contents = json.loads((data("spec") / "schema" / "profile.schema.json").read_text(encoding="utf-8"))
    return Draft202012Validator(contents)
