"""The reference, in this process, on a directory of a file system in memory."""

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from unittest.mock import patch

from llq_format.metadata.findings import LLQError
from llq_format.package.reader import open as open_package
from llq_format.validation import validate as validation
from tests.fuzzing.package import Package, remove_entry, write_entry
from tests.fuzzing.readers.verdict import Verdict

_MEMORY = Path("/dev/shm")  # noqa: S108  # a file system in memory, where there is one
_STAGES_OF_OPEN = frozenset(
    ("read", "json", "version", "schema", "canonical", "model", "tensors", "parts", "files"),
)


class _SameThread:
    """A pool that does its tasks at once: starting threads would take longer than reading a small package."""

    def __init__(self, max_workers: int) -> None:
        """Take what a pool of threads takes."""

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Return the result of a task."""
        future: Future[Any] = Future()
        future.set_result(task(*arguments))
        return future

    def shutdown(self, *, cancel_futures: bool) -> None:
        """Have nothing to end."""


class PythonReader:
    """`llq_format.validate`, and now and then `llq_format.open`, which must raise the same first error."""

    def __init__(self, *, open_every: int = 16) -> None:
        """Make the directory; every `open_every`-th package is opened too."""
        self._directory = Path(
            tempfile.mkdtemp(prefix="llq-fuzzing-", dir=_MEMORY if _MEMORY.is_dir() else None)
        )
        self._present: Package = {}
        self._open_every, self._count = open_every, 0

    def __call__(self, package: Package) -> Verdict:
        """Return the verdict on a package."""
        self._write(package)
        self._count += 1
        try:
            with patch.object(validation, "ThreadPoolExecutor", _SameThread):
                findings = validation.validate(self._directory)
            errors = [finding for finding in findings if finding.severity == "error"]
            codes = tuple(sorted({finding.code for finding in findings}))
            first = errors[0] if errors else None
            if self._count % self._open_every == 0:
                stage = first.entry.stage if first else None
                self._compare_open(first.rule if first and stage in _STAGES_OF_OPEN else None)
        except Exception as error:  # noqa: BLE001  # any crash is a verdict
            return Verdict(None, crash=_where(error))
        return Verdict(first.rule if first else None, codes=codes)

    def _compare_open(self, rule: str | None) -> None:
        try:
            open_package(self._directory).close()
            opened = None
        except LLQError as error:
            opened = error.finding.rule
        if opened != rule:
            raise AssertionError(f"open says {opened}, validate {rule}")

    def _write(self, package: Package) -> None:
        """Write what differs from the package before."""
        for name in [name for name in self._present if self._present[name] is not package.get(name)]:
            if package.get(name) == self._present[name]:
                continue
            del self._present[name]
            remove_entry(self._directory / os.fsdecode(os.fsencode(name)))
        for name, entry in package.items():
            if name not in self._present:
                write_entry(self._directory / name, entry)
                self._present[name] = entry

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self._directory, ignore_errors=True)


def _where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    text = str(error) if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} {text}in {Path(frame.filename).name}, {frame.name}"
