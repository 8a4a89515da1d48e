"""A local server that imitates the Hugging Face hub: redirects, ranges, broken connections."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

SHA = "0123456789abcdef0123456789abcdef01234567"
GATED, PRIVATE = "org/gated", "org/private"


@dataclass
class Hub:
    """The content of the server, what it does, and what it was asked."""

    root: Path
    drops: int = 0
    """Number of answers that end in the middle of a file."""
    ranges: bool = True
    redirects: bool = False
    statuses: dict[str, int] = field(default_factory=dict)
    """HTTP status of requests of a path, instead of its content."""
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and range of each request."""
    address: str = ""

    def asked(self, text: str, method: str = "GET") -> list[str | None]:
        """Return the ranges of the requests whose paths contain a text."""
        return [byte_range for asked, path, byte_range in self.requests if asked == method and text in path]


class _Handler(BaseHTTPRequestHandler):
    """Answers `/api/models/ORG/NAME` and its `tree`, `/ORG/NAME/resolve/REVISION/FILE`, and `/files/FILE`."""

    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def do_HEAD(self) -> None:
        """Answer a request for headers."""
        self._answer(body=False)

    def do_GET(self) -> None:
        """Answer a request for a file."""
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.hub.requests.append((self.command, path, self.headers.get("Range")))
        for repository, status, code in ((GATED, 403, "GatedRepo"), (PRIVATE, 401, "RepoNotFound")):
            if repository in path:
                return self._send(status, b"{}", {"X-Error-Code": code}, body=body)
        if path in self.hub.statuses:
            return self._send(self.hub.statuses[path], b"no", {}, body=body)
        if path.startswith("/api/models/"):
            return self._answer_api(unquote(path).removeprefix("/api/models/"), body=body)
        if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self._send_resolved(match[1], match[3], body=body)
        if path.startswith("/moved/"):
            return self._send(302, b"", {"Location": f"/files/{path.removeprefix('/moved/')}"}, body=body)
        return self._send_file(self.hub.root / path.removeprefix("/files/"), body=body)

    def _answer_api(self, path: str, *, body: bool) -> None:
        if match := re.fullmatch(r"([^/]+/[^/]+)/tree/[^/]+(/.*)?", path):
            return self._send_tree(match[1], (match[2] or "").strip("/"), body=body)
        repository, _, revision = path.partition("/revision/")
        return self._send_info(repository, revision or None, body=body)

    def _send_info(self, repository: str, revision: str | None, *, body: bool) -> None:
        directory = self.hub.root / repository
        if not directory.is_dir() or revision not in (None, "main", "v1", SHA):
            code = "RevisionNotFound" if directory.is_dir() else "RepoNotFound"
            return self._send(404, b"{}", {"X-Error-Code": code}, body=body)
        names = [str(path.relative_to(directory)) for path in sorted(directory.rglob("*")) if path.is_file()]
        info = {"id": repository, "sha": SHA, "siblings": [{"rfilename": name} for name in names]}
        return self._send(200, json.dumps(info).encode(), {"Content-Type": "application/json"}, body=body)

    def _send_tree(self, repository: str, folder: str, *, body: bool) -> None:
        """Answer with the entries of a folder, not recursively."""
        root = self.hub.root / repository
        if not (root / folder).is_dir():
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound"}, body=body)
        entries = [
            {
                "type": "directory" if path.is_dir() else "file",
                "path": str(path.relative_to(root)),
                "size": 0 if path.is_dir() else path.stat().st_size,
                "oid": SHA,
            }
            for path in sorted((root / folder).iterdir())
        ]
        return self._send(200, json.dumps(entries).encode(), {"Content-Type": "application/json"}, body=body)

    def _send_resolved(self, repository: str, name: str, *, body: bool) -> None:
        path = self.hub.root / repository / name
        if not path.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body=body)
        headers = {
            "X-Repo-Commit": SHA,
            "X-Linked-ETag": f'"{sha256(path.read_bytes()).hexdigest()}"',
            "X-Linked-Size": str(path.stat().st_size),
            "Location": f"{self.hub.address.replace('127.0.0.1', 'localhost')}/files/{repository}/{name}",
        }
        return self._send(302, b"", headers, body=body)

    def _send_file(self, path: Path, *, body: bool) -> None:
        if not path.is_file():
            return self._send(404, b"", {}, body=body)
        data = path.read_bytes()
        headers = {"ETag": f'"{sha256(data).hexdigest()[:16]}"'}
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if match is None or not self.hub.ranges:
            if self.hub.ranges:
                headers["Accept-Ranges"] = "bytes"
            return self._send(200, data, headers, body=body)
        start, stop = int(match[1]), int(match[2] or len(data) - 1) + 1
        headers["Content-Range"] = f"bytes {start}-{min(stop, len(data)) - 1}/{len(data)}"
        return self._send(206, data[start:stop], headers, body=body)

    def _send(self, status: int, data: bytes, headers: dict[str, str], *, body: bool) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if not body:
            return
        if self.hub.drops and status in (200, 206) and len(data) > 4096:
            self.hub.drops -= 1
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            return
        self.wfile.write(data)


@contextmanager
def serve(root: Path, **options: Any) -> Iterator[Hub]:
    """Serve the directories ORG/NAME below `root` as a hub, and all files below `/files/`."""
    hub = Hub(root, **options)
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
