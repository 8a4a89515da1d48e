"""Log-probabilities that a stream of the JavaScript interface reports."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .deviation import Deviation, shortened

LOGPROBS, LOGPROB = "LLQ-API-50", "LLQ-GEN-14"


def logprob_deviations(expected: Mapping[str, Any], actual: Any) -> Iterator[Deviation]:
    """Compare tokens and their log-probabilities, which may be away by the bound of the vector."""
    pairs = _pairs(expected["logprobs"])
    found = _pairs(actual or [])
    tokens = [[token for token, _ in row] for row in pairs]
    if [[token for token, _ in row] for row in found] != tokens:
        yield Deviation(LOGPROBS, "log-probabilities of other tokens", shortened(tokens), shortened(actual))
        return
    for row, found_row in zip(pairs, found, strict=True):
        for (token, value), (_, found_value) in zip(row, found_row, strict=True):
            if found_value is None or abs(found_value - value) > expected["bound"]:
                accepted = f"token {token}: {value} ± {expected['bound']}"
                yield Deviation(LOGPROB, "different log-probability", accepted, shortened(found_value))
                return


def _pairs(logprobs: Sequence[Mapping[str, Any]]) -> list[list[tuple[int, Any]]]:
    """Return tokens with their log-probabilities: of each element the chosen token, then the top tokens."""
    return [[(one["token"], one["logprob"]) for one in (element, *element["top"])] for element in logprobs]
