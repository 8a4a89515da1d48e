"""Checks of an exporter that must not write: it reports an error, and leaves all files unchanged."""

from pathlib import Path

from ...core.check import Failure
from ...core.vectors import Vector
from ..session import PACKAGE, Attempt, Session
from .failure_text import failure, message_line

EXISTING = {"metadata.json": b"{}", "notes.txt": b"not to be lost\n"}
"""Files of the directory that exists at the package's path."""


def decline(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect that a checkpoint is refused with a message that names the cause, and that no file remains."""
    rule = vector.rules[0]
    attempt = session.first_attempt(vector)
    message = attempt.export.message
    if attempt.export.succeeded:
        return failure("decline", vector, rule, "accepted a checkpoint that cannot be exported")
    if leftovers := attempt.leftovers:
        return failure(
            "decline",
            vector,
            *_leftover_failure(attempt),
            [f"left       {', '.join(leftovers)}", message_line(message)],
        )
    if not message:
        return failure("decline", vector, rule, "refused a checkpoint without a message")
    names = vector.members["names"]
    if names and not any(name in message for name in names):
        lines = [message_line(message), f"expected   one of {', '.join(names)}"]
        return failure("decline", vector, rule, "the error message does not name the tensor", lines)
    return None


def _leftover_failure(attempt: Attempt) -> tuple[str, str]:
    """Return the rule that the remaining files of a failed export break, and a headline."""
    if (attempt.package / "metadata.json").exists():
        return "LLQ-WRITE-2", "failed, and left an unfinished package"
    return "LLQ-WRITE-7", "failed, and did not remove the files that it had written"


def spare(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect an error, and no change, if a directory exists at the package's path."""
    attempt = session.attempt(vector, existing=EXISTING)
    rule = "LLQ-WRITE-5"
    if not attempt.package.is_dir() or attempt.files != EXISTING:
        entries = sorted(attempt.files) if attempt.package.is_dir() else ["the directory no longer exists"]
        headline = "changed an existing directory without permission to replace it"
        return failure("spare", vector, rule, headline, [f"contents   {', '.join(entries)}"])
    if attempt.export.succeeded:
        headline = "reported success, but wrote no package because the directory already exists"
        return failure("spare", vector, "LLQ-WRITE-7", headline, [message_line(attempt.export.message)])
    leftovers = [name for name in attempt.leftovers if name != PACKAGE]
    if leftovers:
        headline = "left temporary files next to the existing directory"
        return failure("spare", vector, "LLQ-WRITE-7", headline, [f"left       {', '.join(leftovers)}"])
    return None


def abort(session: Session, vector: Vector, _checkpoint: Path) -> Failure | None:
    """Expect no `metadata.json` if a shard cannot be written completely, as on a full disk."""
    session.valid(vector)
    shards = [data for name, data in session.first_attempt(vector).files.items() if name.endswith(".llq")]
    attempt = session.attempt(vector, largest_file=max(map(len, shards)) - 1)
    if attempt.package.is_dir() and (attempt.package / "metadata.json").exists():
        headline = "left an unfinished package"
        lines = [f"left       {', '.join(sorted(attempt.files))}", message_line(attempt.export.message)]
        return failure("abort", vector, "LLQ-WRITE-2", headline, lines)
    if attempt.export.succeeded:
        return failure(
            "abort", vector, "LLQ-WRITE-7", "reported success although a shard could not be written"
        )
    return None
