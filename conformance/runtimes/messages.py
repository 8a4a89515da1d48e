"""The messages of the protocol: JSON on one line each, checked against its schema in both directions."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

PROTOCOL = Path(__file__).parent / "protocol"

LONGEST = 300
"""Maximum length of a schema violation, in characters, since it may quote a whole message."""

LINE_BREAKS = {ord(character): f"\\u{ord(character):04x}" for character in "\x85\u2028\u2029"}
"""Characters that JSON need not escape and at which some readers of lines end a line, such as Node's."""

Message = dict[str, Any]


class Peer(Protocol):
    """What answers messages: a process, or a page of a browser."""

    def ask(self, request: Message, timeout: float) -> Message:
        """Send a request and return its valid response; raise NoAnswerError if there is none."""

    def tell(self, message: Message) -> None:
        """Send a message that has no response."""

    def end(self, grace: float = 0) -> None:
        """End the peer, after up to `grace` seconds in which it may exit by itself."""

    def last_words(self) -> str:
        """Return its output other than answers since the last request."""


class MessageError(ValueError):
    """A message does not match its schema."""


@cache
def schema(name: str) -> Draft202012Validator:
    """Return the validator of one message, such as `decode.response`."""
    contents = json.loads((PROTOCOL / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(contents)
    return Draft202012Validator(contents)


def conform(message: Any, name: str) -> None:
    """Raise `MessageError` unless the message matches its schema."""
    fault = best_match(schema(name).iter_errors(message))
    if fault is not None:
        pointer = "".join(f"/{step}" for step in fault.absolute_path)
        reason = fault.message if len(fault.message) <= LONGEST else f"{fault.message[:LONGEST]} …"
        raise MessageError(f"{name}{': ' + pointer if pointer else ''}: {reason}")


def encode(message: Mapping[str, Any]) -> bytes:
    """Return a request as a line, whatever the reader takes for the end of a line."""
    conform(message, f"{message['op']}.request")
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    return text.translate(LINE_BREAKS).encode() + b"\n"


def decode(line: bytes, op: str) -> Message:
    """Return the response to a request `op`; raise `ValueError` for a line that is not a JSON object."""
    try:
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError("not a JSON object")  # noqa: TRY004 - as for text that is no JSON at all
        conform(message, _response(message, op))
        json.dumps(message, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except UnicodeEncodeError as error:
        raise MessageError(
            f"{op}.response: {error.object[error.start]!a} is half a surrogate pair"
        ) from error
    return message


def _response(message: Message, op: str) -> str:
    """Return the name of the schema of a response to a request of kind `op`."""
    if message.get("ok") is not False:
        return f"{op}.response"
    return "hello.refusal" if op == "hello" else "error.response"
