"""Chat templates within their limits: hostile ones are one error, with a code and a rule."""

import pytest

from llq_format.sandbox import limits, process
from llq_format.sandbox.chat_template import rendered, syntax_error
from llq_format.sandbox.text_error import TextError

MESSAGES = [{"role": "user", "content": "hi"}]

LIMITED = {
    "range": "{% for a in range(100001) %}{% endfor %}",
    "range by steps": "{{ range(0, 10**30, 2)|length }}",
    "repetition": "{{ ('x' * 3 * 10**9)|length }}",
    "padding": "{{ ''.ljust(3 * 10**9)|length }}",
    "center": "{{ 'x'|center(3 * 10**9)|length }}",
    "format": "{{ '%3000000000d' % 1 }}",
    "output": "{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}",
    "doubling": "{% set n = namespace(t='x') %}{% for a in range(60) %}{% set n.t = n.t + n.t %}{% endfor %}",
    "nested loops": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "power": "{{ 9**(9**9) }}",
}

REFUSED = {
    "type": "{{ 1 + 'a' }}",
    "division": "{{ 1 // 0 }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "attribute": "{{ ''.__class__.__mro__ }}",
    "index": "{{ messages[9].content.x }}",
    "digits": "{{ 9 ** 9999 }}",
    "attribute error": "{{ messages|map(attribute='content')|map('nope')|list }}",
    "syntax": "{% for %}",
}


@pytest.fixture(autouse=True)
def _short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CPU_SECONDS", 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIMITED)
def test_a_template_that_exceeds_a_limit_violates_a_rule(name: str) -> None:
    with pytest.raises(TextError, match="LLQ-TOK-4") as caught:
        rendered(LIMITED[name], MESSAGES, {})
    assert (caught.value.code, caught.value.rule) == ("template", "LLQ-TOK-4")


@pytest.mark.parametrize("name", REFUSED)
def test_a_template_that_fails_is_one_error_without_a_rule(name: str) -> None:
    with pytest.raises(TextError, match="refuses the messages") as caught:
        rendered(REFUSED[name], MESSAGES, {})
    assert (caught.value.code, caught.value.rule) == ("template", None)
    assert "\n" not in str(caught.value)


def test_a_template_at_its_limits_is_rendered() -> None:
    assert rendered("{{ range(100000)|length }}", MESSAGES, {}) == str(limits.RANGE_ITEMS)
    megabytes = limits.TEXT_CHARACTERS
    assert len(rendered("{{ 'x' * " + str(megabytes) + " }}", MESSAGES, {})) == megabytes


@pytest.mark.slow
def test_parsing_is_bounded_too() -> None:
    assert syntax_error("{{ messages }}") is None
    assert syntax_error("{% for %}") == (1, "Expected an expression, got 'end of statement block'")
    assert syntax_error("{{ " + "(" * 10_000 + ")" * 10_000 + " }}") == (1, "it is nested too deeply")
    line, message = syntax_error("{{ 9**(9**9) }}") or (0, "")
    assert (line, "limit" in message) == (1, True)
