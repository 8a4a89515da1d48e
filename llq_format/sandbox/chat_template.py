"""Chat templates, in the process with limits (spec: Decoder, Tokenization; LLQ-TOK-3, LLQ-TOK-4)."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from llq_format.sandbox.process import SANDBOX, LimitError
from llq_format.sandbox.text_error import TextError, template_limit


def rendered(template: str, messages: Sequence[Mapping[str, str]], special_tokens: Mapping[str, str]) -> str:
    """Return the prompt of messages.

    Raises TextError if the template does not parse, refuses the messages or exceeds a limit.
    """
    text: str = _call("render", template, [dict(message) for message in messages], dict(special_tokens))
    return text


def syntax_error(template: str) -> tuple[int, str] | None:
    """Return the line and the message of the first error of a template that does not parse, or None."""
    try:
        error: tuple[int, str] | None = _call("syntax_error", template)
    except TextError as limit:
        return 1, limit.reason
    return error


def _call(function: str, *arguments: Any) -> Any:
    try:
        if find_spec("jinja2") is None:
            raise ModuleNotFoundError("jinja2 is not installed", name="jinja2")
        return SANDBOX.call(f"llq_format.sandbox.jinja_template:{function}", *arguments)
    except LimitError as error:
        raise template_limit(str(error)) from error
