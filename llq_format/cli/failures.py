"""Failures as one message on stderr and an exit status, never a traceback.

For a violated rule, the message names the rule, the place, the found and expected values and the remedy.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rich.console import Console

from llq_format.cli.extras import missing_extra
from llq_format.cli.not_a_package import checkpoint_at
from llq_format.cli.terminal import print_fields, print_line, stderr
from llq_format.metadata.findings import Finding, LLQError
from llq_format.webgpu.execution.device_errors import DeviceError

FAILED, MISUSE, INTERRUPTED, CLOSED_PIPE = 1, 2, 130, 141  # the last two as shells report SIGINT and SIGPIPE

_NO_PACKAGE = frozenset({"directory-missing", "path-not-a-directory", "metadata-missing"})
"""Codes of findings about a path that is not a package."""


@contextmanager
def reported(status: int = FAILED) -> Iterator[None]:
    """Turn the failures of a block into a message and SystemExit; flush stdout at the end."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        _print_message("interrupted: no unfinished files remain")
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        _discard_stdout()
        raise SystemExit(CLOSED_PIPE) from None
    except LLQError as error:
        print_finding(stderr(), error.finding, lead=f"llq: {_subjects(error)}")
        raise SystemExit(status) from None
    except ModuleNotFoundError as error:
        message = missing_extra(error)
        if message is None:
            raise
        _print_message(_subjects(error) + message)
        raise SystemExit(status) from None
    except (ValueError, OSError, MemoryError, DeviceError) as error:
        _print_message(_subjects(error) + _words(error))
        if isinstance(error, OSError):
            _discard_stdout()
        raise SystemExit(status) from None


@contextmanager
def about(subject: object) -> Iterator[None]:
    """Let failures of a block name their subject, such as one of several packages."""
    try:
        yield
    except (ValueError, OSError, MemoryError, DeviceError) as error:
        error.add_note(str(subject))
        if isinstance(error, LLQError) and error.finding.code in _NO_PACKAGE:
            checkpoint = checkpoint_at(str(subject))
            if checkpoint is not None:
                raise ValueError(
                    f"{subject} is {checkpoint}, not a package: "
                    f"`llq export {subject} DIR` makes a package of a checkpoint"
                ) from None
        raise


def print_finding(console: Console, finding: Finding, lead: str = "") -> None:
    """Print a finding: severity, rule, code and place, then the found and expected values and the remedy."""
    style = "bold red" if finding.severity == "error" else "bold yellow"
    print_line(console, f"{lead}{finding.severity} {finding.rule} ({finding.code}) at {finding.where}", style)
    print_fields(
        console,
        [("found", finding.found), ("expected", finding.expected), ("remedy", finding.remedy)],
    )


def _print_message(message: str) -> None:
    print_line(stderr(), message, lead="llq: ")


def _subjects(error: BaseException) -> str:
    """Return the subjects that `about` recorded, outermost first."""
    return "".join(f"{note}: " for note in reversed(getattr(error, "__notes__", ())))


def _discard_stdout() -> None:
    """Discard pending output, so that the flush at exit does not fail again."""
    with suppress(OSError):  # stdout is not a file in tests
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _words(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory on this machine (the package may be valid)"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
