"""The `llq` command as tests run it: in this process, in one of its own, and on a terminal."""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
from functools import partial
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from llq_format.cli import app
from tests.support.repository import ROOT, VECTORS
from tests.support.timeouts import seconds

WORKED_EXAMPLE = VECTORS / "valid" / "worked-example"
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


HEARS_SIGINT: Any = {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL)}
"""Options of a process that ends by SIGINT, which tests that run in the background ignore."""


def llq(*arguments: str | Path) -> Result:
    """Run a command line in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def start(
    *arguments: str | Path, entry: tuple[str | Path, ...] = ("-m", "llq_format"), **options: Any
) -> "subprocess.Popen[bytes]":
    """Start a command line in a process of its own, with pipes for its streams unless `options` differ.

    entry: what the interpreter runs.
    """
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT}
    command = [sys.executable, *map(str, (*entry, *arguments))]
    return subprocess.Popen(command, **{**piped, **HEARS_SIGINT, **options})  # noqa: S603  # our own command


def run(*arguments: str | Path, **options: Any) -> tuple[int, str, str]:
    """Return exit status, stdout and stderr of a command line in a process of its own."""
    with start(*arguments, **options) as process:
        out, err = process.communicate(timeout=seconds(60))
        return process.returncode, (out or b"").decode(), (err or b"").decode()


def on_terminal(*arguments: str | Path, columns: int = 80) -> tuple[int, str, str]:
    """Return exit status, text as written and text without escapes of a command line on a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    written = bytearray()
    with start(*arguments, **streams, env=environment | {"TERM": "xterm-256color"}) as process:
        os.close(theirs)
        reader = threading.Thread(target=_read_all, args=(ours, written))
        reader.start()
        status = process.wait(seconds(60))
        reader.join(seconds(60))
    os.close(ours)
    text = written.decode().replace("\r\n", "\n")
    return status, text, _ESCAPE.sub("", text)


def _read_all(descriptor: int, into: bytearray) -> None:
    try:
        while chunk := os.read(descriptor, 1 << 16):
            into.extend(chunk)
    except OSError:  # the other end has been closed
        return


def tiny(directory: Path, *options: str) -> Path:
    """Write the smallest model package and return its path."""
    package = directory / "tiny"
    result = llq("synth", "tiny", package, *options)
    if result.exit_code:
        raise RuntimeError(result.stderr)
    return package
