"""The error of a chat template or a tokenizer."""

from typing import Any, Literal

TextCode = Literal["template", "tokenizer"]


class TextError(ValueError):
    """A chat template or a tokenizer that fails.

    code: `template` or `tokenizer`, as in the runtime API. rule: the violated rule, if there is one.
    hint: what helps.
    """

    def __init__(self, code: TextCode, reason: str, rule: str | None = None, hint: str = "") -> None:
        """Make the error of a reason, which is a sentence without its full stop."""
        super().__init__(reason + (f" ({rule})" if rule else "") + (f": {hint}" if hint else ""))
        self.code, self.reason, self.rule, self.hint = code, reason, rule, hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes the error again in another process."""
        return TextError, (self.code, self.reason, self.rule, self.hint)


def template_limit(reason: str) -> TextError:
    """Return the error of a chat template that exceeds a limit."""
    return TextError(
        "template",
        f"the chat template exceeds a limit: {reason}",
        "LLQ-TOK-4",
        "use a plain prompt, or another template",
    )


def tokenizer_limit(reason: str) -> TextError:
    """Return the error of a tokenizer that exceeds a limit."""
    return TextError(
        "tokenizer",
        f"the tokenizer exceeds a limit: {reason}",
        "LLQ-TOK-5",
        "use a shorter text, token ids, or another tokenizer",
    )
