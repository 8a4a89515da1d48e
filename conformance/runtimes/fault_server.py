"""The server of faulty files at the loopback address, for runtimes that are processes."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from secrets import token_urlsafe
from threading import Thread
from typing import Any

from ..core.api_scenario import Scenario
from .fault_files import POLL, FaultFiles, FaultResponse, ScenarioPackages


class FaultServer:
    """Serves each scenario's files at an address that only its runtime is told."""

    def __init__(self) -> None:
        """Listen at a free port, and start to serve."""
        self._scenario_packages = ScenarioPackages()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        Thread(target=self._server.serve_forever, args=(POLL,), daemon=True, name="fault server").start()

    @contextmanager
    def offered(self, scenario: Scenario) -> Iterator[tuple[str, FaultFiles]]:
        """Provide the address of a scenario's files, / at its end, and who knows what was asked for."""
        name, files = token_urlsafe(9), self._scenario_packages.files(scenario)
        self._server.files[name] = files
        try:
            yield f"http://127.0.0.1:{self._server.server_address[1]}/{name}/", files
        finally:
            files.closed = True
            del self._server.files[name]

    def close(self) -> None:
        """Stop serving, and remove the files."""
        self._server.shutdown()
        self._server.server_close()
        self._scenario_packages.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.files: dict[str, FaultFiles] = {}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients may leave whenever they like."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer as the files of the scenario say."""
        name, _, path = self.path.partition("?")[0].lstrip("/").partition("/")
        files = self.server.files.get(name)
        if files is None:
            self.send_error(404)
            return
        response = files.answer(path, {key.lower(): value for key, value in self.headers.items()})
        files.begin()
        left = True
        try:
            left = self._send(response, files)
        finally:
            files.end(path, left=left)

    def do_OPTIONS(self) -> None:
        """Let pages of other origins ask for ranges."""
        self.send_response(204)
        self.send_header("access-control-allow-origin", "*")
        self.send_header("access-control-allow-headers", "range")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _send(self, response: FaultResponse, files: FaultFiles) -> bool:
        """Send an answer, and return whether the client left before its end."""
        self.send_response(response.status)
        for header, value in response.headers.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(response.body)
        self.wfile.flush()
        if not response.then:
            return False
        self.close_connection = True
        left = response.then == "hold" and self._left(files)
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
        return left

    def _left(self, files: FaultFiles) -> bool:
        """Wait until the client closes the connection, and return whether it did."""
        while not files.closed:
            readable, _, _ = select.select([self.connection], [], [], POLL)
            if readable:
                try:
                    if not self.connection.recv(1, socket.MSG_PEEK):
                        return True
                except OSError:
                    return True
        return False
