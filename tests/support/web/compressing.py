"""A static host on an origin of its own, which compresses files and states their compressed lengths."""

import gzip
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

Change = Callable[[str, bytes], bytes]
"""Returns the bytes that the server has of a file; it gets the name and the true bytes."""


@contextmanager
def compressing(
    folder: Path, compressed: str, *, ranges: bool = True, change: Change = lambda _name, data: data
) -> Iterator[str]:
    """Provide the address of a folder whose files are compressed if their name matches a pattern.

    ranges: whether the server answers range requests.
    Pages of other origins see Content-Length and Content-Range, but not Content-Encoding.
    """

    @cache
    def content(name: str, *, compress: bool) -> bytes:
        data = change(name, (folder / name).read_bytes())
        return gzip.compress(data, 1) if compress else data

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].rsplit("/", 1)[-1]
            if not (folder / name).is_file():
                self.send_error(404)
                return
            # browsers request ranges without compression
            compress = bool(re.search(compressed, name)) and "gzip" in self.headers.get("accept-encoding", "")
            data = content(name, compress=compress)
            match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", "")) if ranges else None
            begin, end = (int(match[1]), min(int(match[2]) + 1, len(data))) if match else (0, len(data))
            self.send_response(206 if match else 200)
            if match:
                self.send_header("content-range", f"bytes {begin}-{end - 1}/{len(data)}")
            if compress:
                self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(end - begin))
            self.end_headers()
            with suppress(ConnectionError):  # the page needs no more of it
                self.wfile.write(data[begin:end])

        def do_OPTIONS(self) -> None:
            self.send_response(204)
            self.end_headers()

        def end_headers(self) -> None:
            self.send_header("access-control-allow-origin", "*")
            self.send_header("access-control-allow-headers", "range")
            self.send_header("access-control-expose-headers", "content-length, content-range")
            self.send_header("cross-origin-resource-policy", "cross-origin")
            super().end_headers()

        def log_message(self, *_words: object) -> None:
            """Print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
