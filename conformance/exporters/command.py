"""An exporter that is a command line with the words `{checkpoint}` and `{package}` in it."""

import os
import shlex
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from ..core.runtime import BrokenAdapter, Errored, Info, TimedOut
from .file_limit import limited
from .protocol import DEFAULT_CLAIM, Export, UnknownExporterError

PLACES = ("{checkpoint}", "{package}")
KEPT = 4000
"""Maximum length of the output of an exporter that is stored, in characters, from the end."""


class CommandExporter:
    """Runs a command for each export: exit status 0 means that a package was written."""

    claim = DEFAULT_CLAIM

    def __init__(self, line: str, timeout: float) -> None:
        """Split a command line as a shell would; raise UnknownExporterError if that fails."""
        try:
            self._words = shlex.split(line)
        except ValueError as error:
            raise UnknownExporterError(
                f"--exporter=cmd:{line} is not a valid command line: {error}"
            ) from error
        missing_places = [place for place in PLACES if place not in line]
        if not self._words or missing_places:
            raise UnknownExporterError(
                f"--exporter=cmd:{line} does not contain {' and '.join(missing_places)}; write for example "
                "cmd:'llq export {checkpoint} {package} --method rtn'"
            )
        self._timeout = timeout
        self.info = Info(Path(self._words[0]).name)

    def export(self, checkpoint: Path, package: Path, largest_file: int | None = None) -> Export:
        """Run the command; raises TimedOut, Errored where a signal ended it, BrokenAdapter if none starts."""
        paths = dict(zip(PLACES, (str(checkpoint), str(package)), strict=True))
        words = [_filled(word, paths) for word in self._words]
        with tempfile.TemporaryFile() as output:
            status = self._run(words, output, largest_file)
            output.seek(0)
            message = output.read().decode(errors="replace").strip()[-KEPT:]
        if status < 0 and largest_file is None:
            raise Errored(f"killed by signal {-status}", message)
        return Export(status == 0, message)

    def _run(self, words: list[str], output: IO[bytes], largest_file: int | None) -> int:
        try:
            with limited(largest_file):
                process = subprocess.Popen(  # noqa: S603 - to run the user's command is the purpose
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise BrokenAdapter(f"{shlex.join(words)!r} cannot be started: {error}") from error
        try:
            return process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            raise TimedOut(f"no package within {self._timeout:g} s") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # including its children
            process.wait()


def _filled(word: str, paths: dict[str, str]) -> str:
    """Return a word with paths in their places."""
    for place, path in paths.items():
        word = word.replace(place, path)
    return word
