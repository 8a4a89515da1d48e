"""A site of plain files at the loopback address, as any web server serves them: without ranges."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

POLL = 0.05
"""Time between two looks at whether the server was stopped, in seconds."""


class _Files(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  # as the base class declares it
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".llq": "application/octet-stream",
    }

    def log_message(self, *_: object) -> None:
        """Write no log."""


@contextmanager
def site(folder: Path) -> Iterator[str]:
    """Serve a folder, and provide its address with / at its end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder)))
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(POLL,), daemon=True, name="site").start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
