"""The server of faulty files at the loopback address, for runtimes that are processes."""

import select
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from ..core.api_scenario import Scenario
from .fault_files import POLL, FaultFiles, FaultResponse, OfferedScenarios


class FaultServer:
    """Serves each scenario's files at an address that only its runtime knows."""

    def __init__(self) -> None:
        """Listen at a free port, and start to serve."""
        self._server = _Server(("127.0.0.1", 0), _Handler)
        Thread(target=self._server.serve_forever, args=(POLL,), daemon=True, name="fault server").start()

    @contextmanager
    def offered(self, scenario: Scenario) -> Iterator[tuple[str, FaultFiles]]:
        """Provide the address of a scenario's files, / at its end, and who knows what was asked for."""
        with self._server.scenarios.offered(scenario) as (name, files):
            yield f"http://127.0.0.1:{self._server.server_address[1]}/{name}/", files

    def close(self) -> None:
        """Stop serving, and remove the files."""
        self._server.shutdown()
        self._server.server_close()
        self._server.scenarios.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.scenarios = OfferedScenarios()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: clients may close the connection at any time."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer as the files of the scenario say."""
        address, _, query = self.path.partition("?")
        name, _, path = address.lstrip("/").partition("/")
        files = self.server.scenarios.files(name)
        if files is None:
            self.send_error(404)
            return
        response = files.answer(path, {key.lower(): value for key, value in self.headers.items()}, query)
        with closing(files.pieces(response, path)) as pieces:
            self._send(response, pieces)

    def do_OPTIONS(self) -> None:
        """Let pages of other origins ask for ranges."""
        self.send_response(204)
        self.send_header("access-control-allow-origin", "*")
        self.send_header("access-control-allow-headers", "*")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Write no log."""

    def _send(self, response: FaultResponse, pieces: Iterator[bytes]) -> None:
        """Send an answer, until its end or until the client leaves."""
        body = next(pieces)
        self.send_response(response.status)
        for header, value in response.headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
        if not response.then:
            return
        self.close_connection = True
        for _ in pieces:
            if self._client_left():
                break
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _client_left(self) -> bool:
        """Wait a moment, and return whether the client has closed the connection."""
        readable, _, _ = select.select([self.connection], [], [], POLL)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True
