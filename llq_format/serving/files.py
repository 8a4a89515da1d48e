"""Files over HTTP, with byte ranges and validators by starlette, and media types for packages."""

import os
from collections.abc import Collection
from mimetypes import guess_type
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

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


class _File(FileResponse):
    """A file; without Content-Encoding, so that ranges are those of its bytes."""

    chunk_size = READ_SIZE


class Files(StaticFiles):
    """The files of a folder: all of them, or those of some names in the folder itself."""

    def __init__(self, folder: Path, names: Collection[str] | None = None) -> None:
        """Serve the files of these names, or everything with index.html for folders."""
        super().__init__(directory=folder, html=names is None)
        self._names = names

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Return the full path and status of a file, if the file may be served."""
        if self._names is not None and path not in self._names:
            return "", None
        return super().lookup_path(path)

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """Return the file, or status 304 if the client's copy is current."""
        suffix = Path(full_path).suffix
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
