"""The files of a scenario of the JavaScript interface: a package with a program, and injected errors.

The package comes from the vectors, without a program, since kernels are implementation-defined. It gets the
program of this repository, so that executors can load it. Servers ask `FaultFiles` what to answer.
"""

import gzip
import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from ..core.api_scenario import Scenario

PACKAGE, MIRROR, VOCABULARY = "package", "mirror", "vocabulary"
"""The folders of a scenario; the mirror has the files of the package."""

SETTLING = 10.0
"""Time limit for closing the connections that a page has left, in seconds."""

POLL = 0.05

HTML = b"<!doctype html><title>Sorry</title><p>There is nothing here."
DRIPPED = 64
"""Bytes that come of a file that never ends."""


@dataclass(frozen=True)
class FaultResponse:
    """An answer of HTTP. then: nothing, or `cut` after the body, or `hold` until the client leaves."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    then: str = ""


@dataclass
class FaultFiles:
    """The files of one scenario. log: `GET name` and `LEFT name`, in order; open: answers on their way."""

    scenario: Scenario
    folder: Path
    log: list[str] = field(default_factory=list)
    open: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        """Read which file is which."""
        metadata = json.loads((self.folder / "metadata.json").read_bytes())
        files_by_role = {role: metadata[role]["file"] for role in ("program", "module", "tokenizer")}
        self._roles = {**files_by_role, "metadata": "metadata.json", "shard": metadata["shards"][0]["file"]}
        self._counts: Counter[int] = Counter()
        self._lock = Lock()

    def answer(self, path: str, headers: Mapping[str, str], query: str = "") -> FaultResponse:
        """Return the answer to a GET request; names of headers are in lower case."""
        folder, _, name = path.partition("/")
        with self._lock:
            self.log.append(f"GET {path}")
            faults = self._faults(folder, name)
        data = self._read(folder, name)
        if (status := next((f["status"] for f in faults if f["do"] == "status"), None)) is not None:
            return self._response(status, {}, b"no")
        if any(fault["do"] == "require" and not _is_met(fault, headers, query) for fault in faults):
            return self._response(403, {}, b"no")
        if any(fault["do"] == "html" for fault in faults):
            return self._response(200, {"content-type": "text/html"}, HTML)
        if data is None:
            return self._response(404, {}, b"no")
        for fault in faults:
            data = damaged(data, fault["do"])
        actions = [fault["do"] for fault in faults]
        if "compress" in actions and "range" not in headers and "gzip" in headers.get("accept-encoding", ""):
            typed = {"content-type": "application/octet-stream", "content-encoding": "gzip"}
            return self._response(200, typed, gzip.compress(data, mtime=0))
        return self._ranged(data, headers.get("range"), actions)

    def pieces(self, response: FaultResponse, path: str) -> Generator[bytes, None, None]:
        """Return the body of an answer, which is on its way from now until the generator ends or is closed.

        While it holds, empty pieces follow: the server pauses at each, and closes them if the client leaves.
        """
        with self._lock:
            self.open += 1
        return self._pieces(response, path)

    def _pieces(self, response: FaultResponse, path: str) -> Generator[bytes, None, None]:
        abandoned = response.then == "hold"
        try:
            yield response.body
            while response.then == "hold" and not self.closed:
                yield b""
            abandoned = False
        finally:
            with self._lock:
                self.open -= 1
                if abandoned:
                    self.log.append(f"LEFT {path}")

    def settled(self) -> int:
        """Return how many answers are still waited for, after some time."""
        deadline = time.monotonic() + SETTLING
        while self.open and time.monotonic() < deadline:
            time.sleep(POLL)
        self.closed = True
        return self.open

    def _faults(self, folder: str, name: str) -> Sequence[Mapping[str, Any]]:
        """Return the faults of a request, and count them."""
        faults = []
        for number, fault in enumerate(self.scenario.faults):
            if "file" in fault and (folder != PACKAGE or name != self._roles[fault["file"]]):
                continue
            if self._counts[number] < fault.get("times", 1 << 30):
                self._counts[number] += 1
                faults.append(fault)
        return faults

    def _read(self, folder: str, name: str) -> bytes | None:
        home = {PACKAGE: self.folder, MIRROR: self.folder, VOCABULARY: self.scenario.vocabulary}.get(folder)
        if home is None or "/" in name or name in ("", ".", "..") or not (home / name).is_file():
            return None
        return (home / name).read_bytes()

    def _ranged(self, data: bytes, range_header: str | None, faults: Sequence[str]) -> FaultResponse:
        headers = {"content-type": "application/octet-stream"}
        status, body = 200, data
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", range_header or "")
        if match and "no-ranges" not in faults:
            begin, end = int(match[1]), min(int(match[2] or len(data)), len(data) - 1)
            if begin > end:
                return self._response(416, {"content-range": f"bytes */{len(data)}"}, b"")
            status, body = 206, data[begin : end + 1]
            headers["content-range"] = f"bytes {begin}-{end}/{len(data)}"
        headers["content-length"] = str(len(body))
        if "cut" in faults:
            return self._response(status, headers, body[: len(body) // 2], "cut")
        if "drip" in faults:
            return self._response(status, headers, body[:DRIPPED], "hold")
        return self._response(status, headers, body)

    def _response(
        self, status: int, headers: Mapping[str, str], body: bytes, then: str = ""
    ) -> FaultResponse:
        common_headers = {
            "cache-control": "no-store",
            "access-control-allow-origin": "*",
            "access-control-allow-headers": "*",
            "access-control-expose-headers": "content-range, content-length",
            "cross-origin-resource-policy": "cross-origin",
        }
        return FaultResponse(
            status, {**common_headers, "content-length": str(len(body)), **headers}, body, then
        )


def _is_met(fault: Mapping[str, Any], headers: Mapping[str, str], query: str) -> bool:
    """Return whether a request carries the query or the header that a server requires."""
    if "query" in fault:
        return bool(query == fault["query"])
    return bool(headers.get(fault["header"]) == fault["value"])


def damaged(data: bytes, fault: str) -> bytes:
    """Return the bytes of a file with an injected error."""
    match fault:
        case "flip":
            place = len(data) // 3  # of the shard, a number of the embedding: another one, and a legal one
            return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        case "shorten":
            return data[: len(data) - 256]
        case "space":
            return b" " + data
        case _:
            return data


class OfferedScenarios:
    """The scenarios whose files a server offers; their packages with programs go with this object."""

    def __init__(self) -> None:
        """Begin with none."""
        self._temporary = TemporaryDirectory(prefix="llq-scenarios-")
        self._known: dict[Path, Path] = {}
        self._offered: dict[str, FaultFiles] = {}

    @contextmanager
    def offered(self, scenario: Scenario) -> Iterator[tuple[str, FaultFiles]]:
        """Provide the files of a scenario, under a name that nobody can guess."""
        if scenario.package not in self._known:
            self._known[scenario.package] = self._copy(scenario.package)
        name, files = token_urlsafe(9), FaultFiles(scenario, self._known[scenario.package])
        self._offered[name] = files
        try:
            yield name, files
        finally:
            files.closed = True
            del self._offered[name]

    def files(self, name: str) -> FaultFiles | None:
        """Return the files that are offered under a name now."""
        return self._offered.get(name)

    def close(self) -> None:
        """Remove the packages."""
        self._temporary.cleanup()

    def _copy(self, package: Path) -> Path:
        from .programs import add_program  # noqa: PLC0415 - who asks about no interface needs no planner

        copy = Path(self._temporary.name, str(len(self._known)))
        shutil.copytree(package, copy)
        add_program(copy)
        return copy
