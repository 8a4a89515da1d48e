"""A server of sites at the loopback address, for runtimes that are processes; of the standard library."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from threading import Thread
from typing import Any

from ..core.api_scenario import Question
from .fault_files import POLL, Folders, Served, Site


class SiteServer:
    """Serves each question's files at an address that only its runtime is told."""

    def __init__(self) -> None:
        """Listen at a free port, and start to serve."""
        self._folders = Folders()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        Thread(target=self._server.serve_forever, args=(POLL,), daemon=True, name="site server").start()

    @contextmanager
    def offered(self, question: Question) -> Iterator[tuple[str, Site]]:
        """Provide the address of a question's files, / at its end, and who knows what was asked for."""
        name, site = token_urlsafe(9), self._folders.site(question)
        self._server.sites[name] = site
        try:
            yield f"http://127.0.0.1:{self._server.server_address[1]}/{name}/", site
        finally:
            site.closed = True
            del self._server.sites[name]

    def close(self) -> None:
        """Stop serving, and remove the files."""
        self._server.shutdown()
        self._server.server_close()
        self._folders.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.sites: dict[str, Site] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients may leave whenever they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer as the site says."""
        name, _, path = self.path.partition("?")[0].lstrip("/").partition("/")
        site = self.server.sites.get(name)
        if site is None:
            self.send_error(404)
            return
        served = site.answer(path, {key.lower(): value for key, value in self.headers.items()})
        site.begin()
        left = True
        try:
            left = self._send(served, site)
        finally:
            site.end(path, left=left)

    def do_OPTIONS(self) -> None:
        """Let pages of other origins ask for ranges."""
        self.send_response(204)
        self.send_header("access-control-allow-origin", "*")
        self.send_header("access-control-allow-headers", "range")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, served: Served, site: Site) -> bool:
        """Send an answer, and return whether the client left before its end."""
        self.send_response(served.status)
        for header, value in served.headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(served.body)
        self.wfile.flush()
        if not served.then:
            return False
        self.close_connection = True
        left = served.then == "hold" and self._left(site)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        return left

    def _left(self, site: Site) -> bool:
        """Wait until the client closes the connection, and return whether it did."""
        while not site.closed:
            readable, _, _ = select.select([self.connection], [], [], POLL)
            if readable:
                try:
                    if not self.connection.recv(1, socket.MSG_PEEK):
                        return True
                except OSError:
                    return True
        return False
