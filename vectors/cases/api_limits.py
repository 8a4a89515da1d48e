"""Interface: templates and tokenizers that exceed a limit. The next answer must be complete."""

from __future__ import annotations

from typing import Any

from vectors.cases.api import HERE, SCRIPT, SHARED, fails, inference
from vectors.cases.tokenization import BEGIN, BPE, END
from vectors.kit.api_scenario import Interface
from vectors.kit.computed import computed

Json = Any
MESSAGES = [{"role": "user", "content": "hello"}]
TEMPLATES = {
    "a range of 100,001 items": "{% for i in range(100001) %}{% endfor %}",
    "a range of 100,001 items by steps": "{{ range(0, 200002, 2)|length }}",
    "a prompt of 20 million characters": "{% for i in range(20000) %}" + "x" * 1000 + "{% endfor %}",
    "a prompt of a quintillion characters": (
        "{% set n = namespace(t='x') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t }}"
    ),
    "a million million iterations": (
        "{% for i in range(99999) %}{% for j in range(99999) %}{% for k in range(99) %}"
        "{% endfor %}{% endfor %}{% endfor %}"
    ),
}
OPTIONS: Json = {"bosTokenId": BPE.special_id(BEGIN), "eosTokenIds": [BPE.special_id(END)]}
LIMITS = ["LLQ-TOK-4", "LLQ-TOK-5"]


def refused(options: Json, url: str, prompt: Json, code: str) -> Interface:
    """Return steps: a call fails because of a tokenizer, and the next one uses another tokenizer."""
    used = {"do": "tokenizer", "use": True, "rule": "LLQ-API-9", "expect": {}}
    hostile = {**used, "url": url, "options": options}
    call = {"do": "infer", "prompt": prompt, "options": {}, **fails("37", code, LIMITS)}
    harmless = {**used, "url": f"{HERE}tokenizer.json", "options": OPTIONS}
    return Interface(SCRIPT, [SHARED, hostile, call, harmless, inference().step("infer", "37")])


@computed("api", "LLQ-TOK-4", "LLQ-TOK-5", "LLQ-API-37", cases=TEMPLATES)
def template_of(template: str) -> Interface:
    """A chat template makes {}: the call MUST fail with code template and a rule of limits."""
    return refused({**OPTIONS, "chatTemplate": template}, f"{HERE}tokenizer.json", MESSAGES, "template")


@computed("api", "LLQ-TOK-5", "LLQ-API-37")
def tokenizer_that_backtracks() -> Interface:
    """A regular expression needs exponential time: the call MUST fail with code tokenizer."""
    return refused(OPTIONS, "vocabulary/backtracking.json", "a" * 48 + "b", "tokenizer")
