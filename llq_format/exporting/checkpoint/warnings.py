"""Warnings of an export: what a user should know of a package that is written all the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

TEXTS = {
    "added-token-moved": "token {token!r} has id {id} in the tokenizer, but {file} states {stated}: the "
    "tokenizer decides; check the ids of added tokens",
    "bos-differs": "{file}: bos_token_id is {stated}, but the tokenizer puts {found} in front of a text: the "
    "tokenizer decides",
    "custom-code": "config.json names custom code in auto_map ({classes}), which was not run: compare the "
    "package with the checkpoint: llq eval DIR --against CHECKPOINT",
    "end-tokens-differ": "configurations end an answer with {configured}, the tokenizer with {tokenizer}: "
    "the package ends an answer with each of them",
    "head-differs": "tie_word_embeddings is true, but {tensor} differs from the embedding: the package keeps "
    "this head and is not tied",
    "no-end-token": "the checkpoint names no end token: answers end at their maximum length only; add "
    "eos_token_id to generation_config.json",
    "no-tokenizer": "the package has no tokenizer, because {cause}: the package accepts token ids only",
    "not-calibrated": "the default method is rtn here, not best, because {cause}: the package may write "
    "nonsense; {remedy}",
    "rounding-loss": "rounding to nearest changes the matrices by {percent} % (root mean square), and the "
    "package may write nonsense: --method best loses far less",
    "setting-ignored": "tokenizer_config.json: {key} is {stated}, but tokenizer.json puts {found} there: "
    "tokenizer.json decides",
    "template-syntax": "the chat template does not parse (line {line}): {error}; prompts of messages fail",
    "tokenizer-too-large": "the tokenizer has ids up to {largest}, but the embedding has {rows} rows: a text "
    "with one of the ids above {last} cannot be computed",
    "tokens-around-text": "the tokenizer puts {before} before a text and {after} after it, but a package "
    "puts at most one token before a text: token ids differ from those of transformers",
}
"""The text of a warning, by its id; braces name members of `values`."""


@dataclass(frozen=True)
class ExportWarning:
    """A warning: its id, which is a key of TEXTS and never changes, and the values that its text names."""

    id: str
    values: dict[str, Any]

    @property
    def message(self) -> str:
        """The text, in one line."""
        return TEXTS[self.id].format_map(self.values)

    def to_json(self) -> dict[str, Any]:
        """Return the id, the message and the values."""
        return {"id": self.id, "message": self.message, "values": self.values}


def end_warnings(
    ends: Sequence[int], configured: Sequence[int] = (), tokenizer: int | None = None
) -> Iterator[ExportWarning]:
    """Yield a warning if there is no end token, or if the tokenizer's is not among the configured tokens."""
    if not ends:
        yield warning("no-end-token")
    elif configured and tokenizer is not None and tokenizer not in configured:
        yield warning("end-tokens-differ", configured=list(configured), tokenizer=tokenizer)


class StrictError(ValueError):
    """An export that has warnings, which the caller forbids."""

    def __init__(self, warnings: Sequence[ExportWarning]) -> None:
        """Name the warnings, by id."""
        super().__init__("; ".join(f"{found.message} ({found.id})" for found in warnings))
        self.warnings = tuple(warnings)


def warning(id_: str, **values: Any) -> ExportWarning:
    """Return the warning of that id; raises KeyError for an unknown id or a missing value."""
    made = ExportWarning(id_, values)
    _ = made.message
    return made
