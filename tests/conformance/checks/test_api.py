"""The suite's questions about the JavaScript interface distinguish right implementations from wrong ones."""

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from conformance.checks import CHECKS
from conformance.core.api_scenario import Scenario
from conformance.core.check import Outcome, Result
from conformance.core.rules import registry
from conformance.core.vectors import Vector, load
from conformance.runtimes.command import CommandRuntime
from conformance.runtimes.fault_files import FaultFiles
from conformance.runtimes.javascript.deno import FLAGS
from tests.support.repository import WEB
from tests.support.timeouts import seconds

pytestmark = pytest.mark.browser

(CHECK,) = (check for check in CHECKS if check.name == "api")
VECTORS = {vector.id: vector for vector in load() if CHECK.concerns(vector)}

MUTANTS = {
    "module-not-resolved": ("LLQ-API-1", "model-loaded-by-the-module"),
    "progress-goes-back": ("LLQ-API-2", "model-loaded-by-the-directory"),
    "progress-without-end": ("LLQ-API-2", "model-loaded-by-the-directory"),
    "load-abort-ignored": ("LLQ-API-3", "load-aborted-before-it-begins"),
    "load-abort-with-another-error": ("LLQ-API-3", "load-aborted-while-a-shard-is-on-its-way"),
    "load-goes-on-after-abort": ("LLQ-API-3", "load-aborted-while-a-shard-is-on-its-way"),
    "hash-without-rule": ("LLQ-API-4", "load-refuses-a-shard-with-one-bit-changed"),
    "rule-of-another-fault": ("LLQ-API-4", "load-refuses-a-shard-that-is-cut-short"),
    "damaged-shard-taken": ("LLQ-API-4", "load-refuses-a-shard-with-one-bit-changed"),
    "errors-without-code": ("LLQ-API-7", "load-fails-for-no-metadata"),
    "errors-with-another-code": ("LLQ-API-6", "load-fails-for-a-page-in-place-of-a-shard"),
    "ranges-required": ("LLQ-API-5", "load-mends-ignores-ranges"),
    "compressed-files-refused": ("LLQ-API-36", "load-of-compressed-files"),
    "query-dropped": ("LLQ-API-52", "server-that-requires-a-query"),
    "hub-address-requested": ("LLQ-API-53", "hub-address-without-a-name"),
    "first-mirror-alone": ("LLQ-API-54", "mirror-that-sends-no-shard"),
    "query-in-messages": ("LLQ-API-56", "server-that-refuses-a-key"),
    "stored-for-everybody": ("LLQ-API-57", "stored-package-whose-server-refuses-a-key"),
    "worker-takes-a-device": ("LLQ-API-58", "worker-with-a-device"),
    "unknown-options-ignored": ("LLQ-API-35", "calls-with-an-unknown-option"),
    "context-checked-at-the-end": ("LLQ-API-20", "context-longer-than-the-models"),
    "options-not-checked": ("LLQ-API-8", "calls-that-make-no-sense"),
    "merges-not-fetched": ("LLQ-API-9", "tokenizer-created-of-vocab-json"),
    "bos-of-another-tokenizer": ("LLQ-API-9", "tokenizer-created-of-tokenizer-json"),
    "warm-by-default": ("LLQ-API-10", "answer-without-options"),
    "end-token-shown": ("LLQ-API-10", "answer-without-options"),
    "generation-prompt-left-out": ("LLQ-API-11", "answer-to-messages"),
    "one-token-more": ("LLQ-API-12", "answer-of-at-most-one"),
    "context-length-ignored": ("LLQ-API-12", "context-of-few-positions"),
    "stop-left-in": ("LLQ-API-13", "stop-is-a-whole-token"),
    "stop-in-single-pieces": ("LLQ-API-13", "stop-is-parts-of-several-tokens"),
    "stop-shown-while-it-begins": ("LLQ-API-15", "stop-is-the-inside-of-a-token"),
    "seed-ignored": ("LLQ-API-14", "answer-sampled-twice"),
    "seed-moves-on": ("LLQ-API-14", "answer-sampled-twice"),
    "last-piece-lost": ("LLQ-API-15", "answer-of-at-most-many"),
    "pieces-told-again": ("LLQ-API-15", "answer-of-at-most-four"),
    "characters-split": ("LLQ-API-16", "answer-without-options"),
    "bytes-shown-as-they-come": ("LLQ-API-16", "answer-without-options"),
    "length-for-every-end": ("LLQ-API-17", "answer-without-options"),
    "usage-without-prompt": ("LLQ-API-17", "answer-of-at-most-one"),
    "abort-ends-quietly": ("LLQ-API-18", "stream-aborted-after-its-first-piece"),
    "abort-waits-for-its-turn": ("LLQ-API-18", "call-aborted-while-it-waits"),
    "second-call-turned-away": ("LLQ-API-19", "calls-at-once"),
    "last-call-first": ("LLQ-API-19", "calls-at-once"),
    "long-prompt-cut": ("LLQ-API-20", "context-of-few-positions"),
    "profile-without-occupancy": ("LLQ-API-21", "model-profiled"),
    "profile-of-one-layer": ("LLQ-API-21", "model-profiled"),
    "dispose-does-nothing": ("LLQ-API-22", "model-disposed-of"),
    "dispose-once-only": ("LLQ-API-22", "model-disposed-of"),
    "lost-device-ends-quietly": ("LLQ-API-23", "device-lost"),
    "one-token-fewer-after-a-loss": ("LLQ-API-23", "device-lost-in-an-answer-of-at-most-nine-tokens"),
    "seed-dropped": ("LLQ-GEN-3", "answer-sampled-with-a-seed-of-few-bits"),
    "seed-of-32-bits": ("LLQ-GEN-3", "answer-sampled-with-a-seed-of-33-bits"),
    "seed-without-sign": ("LLQ-GEN-3", "answer-sampled-with-a-negative-seed"),
    "one-token-more-than-top-k": ("LLQ-GEN-3", "answer-sampled-with-topk-of-3"),
    "one-token-fewer-than-top-k": ("LLQ-GEN-3", "answer-sampled-with-topk-of-2"),
    "top-k-ignored": ("LLQ-GEN-3", "answer-sampled-with-a-seed-of-few-bits"),
    "top-p-ignored": ("LLQ-GEN-3", "answer-sampled-with-topp"),
    "inverse-temperature": ("LLQ-GEN-3", "answer-sampled-with-topk-of-2"),
    "temperature-ignored": ("LLQ-GEN-3", "answer-sampled-with-topk-of-2"),
    "min-p-ignored": ("LLQ-GEN-11", "answer-adjusted-with-minp"),
    "penalty-ignored": ("LLQ-GEN-11", "answer-adjusted-with-repetitionpenalty"),
    "biases-ignored": ("LLQ-GEN-11", "answer-adjusted-with-logitbias"),
    "mask-ignored": ("LLQ-API-51", "answer-with-masks"),
    "mask-called-with-no-ids": ("LLQ-API-51", "answer-with-masks"),
    "logprobs-without-top": ("LLQ-API-50", "logprobs-of-two-tokens"),
    "large-top-k-refused": ("LLQ-GEN-10", "answer-sampled-with-a-large-top-k"),
    "limits-without-a-code": ("LLQ-API-37", "template-of-a-range-of-100-001-items"),
    "long-templates-answered": ("LLQ-API-37", "template-of-a-prompt-of-20-million-characters"),
    "empty-prompt-answered": ("LLQ-API-8", "prompt-without-tokens"),
    "stream-ends-again": ("LLQ-API-15", "stream-read-twice"),
    "stream-repeated": ("LLQ-API-15", "stream-read-twice"),
    "beginning-of-the-previous-prompt": ("LLQ-API-14", "prompts-with-a-common-beginning"),
    "session-context-ignored": ("LLQ-API-39", "session-of-few-positions"),
    "answer-left-out-of-the-sequence": ("LLQ-API-40", "session-asked-several-times"),
    "text-not-appended": ("LLQ-API-42", "session-appended-to"),
    "bos-before-each-text": ("LLQ-API-42", "session-appended-to"),
    "truncate-ignored": ("LLQ-API-43", "session-truncated"),
    "fork-of-the-same-sequence": ("LLQ-API-44", "session-forked"),
    "aborted-answer-kept": ("LLQ-API-45", "session-after-calls-that-are-aborted"),
    "session-limit-ignored": ("LLQ-API-47", "sessions-beyond-the-limit"),
    "append-does-not-wait": ("LLQ-API-46", "sessions-asked-at-once"),
    "lost-session-ends-quietly": ("LLQ-API-49", "device-lost-in-an-answer-of-a-session"),
    "disposed-session-answers": ("LLQ-API-48", "session-disposed-of"),
}
"""Mutants of `web/test/api/mutants.mjs`, each with the rule that it breaks and a question that shows it."""

CONFORMING = ("one-character-a-piece", "frozen-and-wrapped")
"""What is unusual there and conforms."""

TRIED = (
    "answer-of-at-most-four",
    "answer-that-ends-within-a-character",
    "answer-to-messages",
    "stop-is-parts-of-several-tokens",
    "stream-aborted-after-its-first-piece",
)
"""Questions that they are asked: some, for each takes seconds."""


class Interfaces(CommandRuntime):
    """Implementations of the interface in one process; `name` selects one."""

    name = "control"

    @contextmanager
    def _offered(self, scenario: Scenario) -> Iterator[tuple[str, FaultFiles]]:
        with super()._offered(scenario) as (url, files):
            yield f"{url}#{self.name}/", files


@pytest.fixture(scope="module")
def runtime() -> Iterator[Interfaces]:
    deno = shutil.which("deno")  # lavapipe compiles kernels in a small part of SwiftShader's time
    assert deno is not None, "deno is not on the path: pip install deno"
    adapter = shlex.join([deno, "run", *FLAGS, str(WEB / "test" / "api" / "mutant_adapter.mjs")])
    runtime = Interfaces(adapter, seconds(300))  # kernels are compiled by the CPU
    yield runtime
    runtime.close()


def ask(runtime: Interfaces, name: str, vector: Vector, where: Path) -> Result:
    """Ask one implementation about one vector."""
    runtime.name = name
    return CHECK(runtime, vector, where)


@pytest.mark.parametrize("name", MUTANTS)
def test_each_mutant_is_found_and_blamed_on_its_rule(runtime: Interfaces, name: str, tmp_path: Path) -> None:
    rule, vector = MUTANTS[name]
    result = ask(runtime, name, VECTORS[vector], tmp_path)
    assert (result.outcome, result.broken) == (Outcome.FAILED, (rule,)), result.explanation


@pytest.mark.parametrize("name", CONFORMING)
def test_conforming_variants_pass(runtime: Interfaces, name: str, tmp_path: Path) -> None:
    results = [ask(runtime, name, VECTORS[vector], tmp_path) for vector in TRIED]
    assert [result.explanation for result in results if result.outcome is not Outcome.PASSED] == []


def test_every_requirement_of_the_interface_has_a_mutant_that_breaks_it() -> None:
    rules = {
        rule.id for rule in registry().values() if rule.stage == "interface" and rule.kind == "requirement"
    }
    assert rules <= {rule for rule, _ in MUTANTS.values()}
