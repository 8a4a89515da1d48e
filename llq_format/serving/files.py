"""Files over HTTP, with byte ranges and validators by starlette, and media types for packages."""

import os
from collections.abc import Collection
from mimetypes import guess_type
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Message, Receive, Scope, Send

from llq_format.serving.links import Links

TYPES = {
    ".llq": "application/octet-stream",
    ".wgsl": "text/wgsl",
    ".json": "application/json",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
}
"""Media types by suffix; the registries of machines differ, and lack the first two."""

READ_SIZE = 1 << 20
"""Number of bytes to read at once; handing a read to a thread takes longer than reading 64 KiB."""


class ChangedFileError(Exception):
    """A file that became shorter, or went away, while it was sent: the connection can only be closed."""


class _File(FileResponse):
    """A file; without Content-Encoding, so that ranges are those of its bytes."""

    chunk_size = READ_SIZE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, exactly as long as its headers state. Raises ChangedFileError."""
        body = _Body(send, self.path, sends_body=scope["method"] != "HEAD")
        try:
            await super().__call__(_with_bytes_range(scope), receive, body.send)
        except OSError as error:
            raise ChangedFileError(f"{self.path} cannot be read: {error.strerror}") from error


class _Body:
    """The messages of a response, whose body has the length that the headers state."""

    def __init__(self, send: Send, path: str | os.PathLike[str], *, sends_body: bool) -> None:
        self._send = send
        self._path = path
        self._sends_body = sends_body
        self._missing = 0

    async def send(self, message: Message) -> None:
        """Send a message. A body is cut at its length. Raises ChangedFileError if it is too short."""
        if message["type"] == "http.response.start":
            headers = Headers(raw=message["headers"])
            self._missing = int(headers.get("content-length", 0)) if self._sends_body else 0
        elif message["type"] == "http.response.body":
            body = message.get("body", b"")[: self._missing]
            self._missing -= len(body)
            if self._missing > 0 and (not body or not message.get("more_body", False)):
                raise ChangedFileError(
                    f"{self._path} became shorter while it was sent: the connection is closed"
                )
            message = {**message, "body": body}
        await self._send(message)


def _with_bytes_range(scope: Scope) -> Scope:
    """Return a scope without Range where RFC 9110 ignores it: in HEAD, and in units other than bytes."""
    requested = Headers(scope=scope).get("range", "")
    if scope["method"] == "GET" and requested.partition("=")[0].strip().lower() == "bytes":
        return scope
    return {**scope, "headers": [field for field in scope["headers"] if field[0] != b"range"]}


class Files(StaticFiles):
    """The files of a folder: all of them, or those of some names in the folder itself."""

    def __init__(
        self, folder: Path, names: Collection[str] | None = None, links: Links | None = None
    ) -> None:
        """Serve the files of these names, or everything with index.html for folders.

        Names that are symbolic links are followed as `links` allows, or within the folder only.
        """
        super().__init__(directory=folder, html=names is None)
        self._folder = folder
        self._names = names
        self._links = links

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the full path and status of a file, if the file may be served."""
        if self._names is not None and path not in self._names:
            return "", None
        if self._links is None or self._names is None:
            return super().lookup_path(path)
        try:
            target = self._links.resolved(self._folder / path)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return "", None
        return str(target), target.stat()

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, or status 304 if the client's copy is current."""
        suffix = Path(scope["path"]).suffix or Path(full_path).suffix  # the target of a link has another name
        response = _File(
            full_path,
            status_code,
            {"cache-control": "no-cache"},  # cached, but revalidated: a new export has the same names
            TYPES.get(suffix) or guess_type(full_path)[0] or "application/octet-stream",
            stat_result=stat_result,
        )
        if self.is_not_modified(response.headers, Headers(scope=scope)):
            return NotModifiedResponse(response.headers)
        return response
