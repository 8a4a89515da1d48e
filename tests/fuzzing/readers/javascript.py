"""The JavaScript package, in one process of Node that reads packages from a pipe."""

import json
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

from tests.fuzzing.package import Package
from tests.fuzzing.readers.verdict import Verdict


class JavaScriptReader:
    """`validate` of `web/src/package/`. Batches keep both processes at work."""

    def __init__(self) -> None:
        """Start the process."""
        node = shutil.which("node") or "node"
        script = str(Path(__file__).with_suffix(".mjs"))
        self._process = subprocess.Popen(  # noqa: S603  # our own script
            [node, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._writing: Thread | None = None

    def send(self, packages: Sequence[Package]) -> None:
        """Begin to read packages."""
        self._writing = Thread(target=self._write, args=(_message(packages),))
        self._writing.start()

    def receive(self) -> list[Verdict]:
        """Return the verdicts on the packages that were sent. Raises RuntimeError if the process ended."""
        assert self._process.stdout is not None  # noqa: S101  # for the type checker
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of Node ended with status {self._process.wait()}")
        if self._writing is not None:
            self._writing.join()
        return [
            Verdict(None, crash=item["crash"]) if isinstance(item, dict) else Verdict(item)
            for item in json.loads(line)
        ]

    def __call__(self, package: Package) -> Verdict:
        """Return the verdict on one package."""
        self.send([package])
        return self.receive()[0]

    def _write(self, message: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101  # for the type checker
        self._process.stdin.write(message)
        self._process.stdin.flush()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None  # noqa: S101  # for the type checker
        assert self._process.stdout is not None  # noqa: S101  # for the type checker
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def _message(packages: Sequence[Package]) -> bytes:
    listing, contents = [], []
    for package in packages:
        entries: list[tuple[str, str, int]] = []
        for name, entry in package.items():
            data = entry if isinstance(entry, bytes) else b""
            entries.append((name, "file" if isinstance(entry, bytes) else "other", len(data)))
            contents.append(data)
        listing.append(entries)
    text = json.dumps(listing).encode()
    data = b"".join(contents)
    return struct.pack("<II", len(text), len(data)) + text + data
