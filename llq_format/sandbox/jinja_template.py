"""Jinja as transformers reads it, for the process with limits (spec: Decoder, Tokenization; LLQ-TOK-3)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from llq_format.sandbox.limits import RANGE_ITEMS, TEXT_CHARACTERS
from llq_format.sandbox.text_error import TextError, template_limit


class _Generation(Extension):
    """The block `generation`, which marks text of the model and renders as its body."""

    tags = {"generation"}  # noqa: RUF012  # as jinja2 declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the body of the block; names that it sets are its own."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    @staticmethod
    def _body(caller: Any) -> str:
        text: str = caller()
        return text


def environment() -> ImmutableSandboxedEnvironment:
    """Return the environment that reads and renders templates."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    made.globals["range"] = _range
    made.globals["raise_exception"] = _refuse
    made.globals["strftime_now"] = _now
    made.filters["tojson"] = _json
    return made


def syntax_error(template: str) -> tuple[int, str] | None:
    """Return the line and the message of the first error of a template that does not parse, or None."""
    try:
        environment().from_string(template)
    except TemplateSyntaxError as error:
        return error.lineno, str(error.message)
    except RecursionError:
        return 1, "it is nested too deeply"
    return None


def render(template: str, messages: Sequence[Mapping[str, str]], special_tokens: Mapping[str, str]) -> str:
    """Return the prompt of messages; raises TextError for every failure of the template."""
    variables = {**special_tokens, "messages": messages, "tools": None, "documents": None}
    try:
        pieces = environment().from_string(template).generate(**variables, add_generation_prompt=True)
        return _joined(pieces)
    except (TextError, MemoryError):
        raise
    except Exception as error:
        raise TextError("template", f"the chat template refuses the messages: {error}") from error


def _joined(pieces: Iterable[str]) -> str:
    """Return the text of pieces, unless it is too long."""
    kept, length = [], 0
    for piece in pieces:
        length += len(piece)
        if length > TEXT_CHARACTERS:
            raise template_limit(f"its text has more than {TEXT_CHARACTERS:,} characters")
        kept.append(piece)
    return "".join(kept)


def _range(*bounds: int) -> range:
    """Return a range, unless it has too many items."""
    items = range(*bounds)
    if bool(items[RANGE_ITEMS:]):
        raise template_limit(f"it makes a range of more than {RANGE_ITEMS:,} items")
    return items


def _refuse(message: str) -> str:
    """Let a template refuse its messages."""
    raise TemplateError(message)


def _now(form: str) -> str:
    """Return the local time."""
    return datetime.now().strftime(form)  # noqa: DTZ005  # the local time is meant


def _json(
    value: Any,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002  # positions that a template may use
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    """Return JSON, without the escapes for HTML that Jinja's own filter adds."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
