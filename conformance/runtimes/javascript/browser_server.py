"""The server of `--runtime=browser:…`: it serves the harness page and packages, and talks to the page.

All paths begin with a token that nobody can guess; the default address is the loopback address. A page that
connects gets the requests of the protocol over a WebSocket, and transfers arrays over HTTP.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from queue import Empty, Queue
from secrets import token_urlsafe
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from ...core.api_scenario import Scenario
from ..arrays import LARGEST
from ..fault_files import POLL, FaultFiles, OfferedScenarios
from ..process import LONGEST_LINE
from .listing import listing

HEADERS = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
TYPES = {".wgsl": "text/wgsl", ".json": "application/json", ".js": "text/javascript"}
BUSY = 4001
"""The code with which a second page is turned away."""

UNREAD = 1000
"""Maximum number of unread messages of a page; with more, the server closes the connection."""

START = 10
"""Time limit for starting and stopping the server, in seconds."""


class WebSocketConnection:
    """A page that connected: what it sent, and a way to send."""

    def __init__(self, socket_: WebSocket, loop: asyncio.AbstractEventLoop) -> None:
        """Keep the socket and the loop that it belongs to."""
        self._socket = socket_
        self._loop = loop
        self.received: Queue[str | None] = Queue()  # None: the page is gone
        self.address = socket_.client.host if socket_.client else ""

    def send(self, text: str) -> None:
        """Send a message; if the page is gone, `received` gets None."""
        self._later(self._socket.send_text(text))

    def close(self) -> None:
        """End the connection."""
        self._later(self._socket.close())

    def _later(self, sending: Any) -> None:
        if self._loop.is_closed():
            sending.close()
            return
        future = asyncio.run_coroutine_threadsafe(sending, self._loop)
        future.add_done_callback(lambda task: task.cancelled() or task.exception())


class BrowserServer:
    """The server of one run: started once, left at its end."""

    def __init__(
        self, web: Path, host: str = "127.0.0.1", port: int = 0, certificate: tuple[str, str] | None = None
    ) -> None:
        """Listen, and start to serve the folders `harness` and `dist` of `web`. Raises OSError."""
        self._token = token_urlsafe(18)
        self._bound = socket.create_server((host, port))
        self._connections: Queue[WebSocketConnection] = Queue()
        self._current: WebSocketConnection | None = None
        self._packages: dict[str, Path] = {}
        self._files: dict[str, Path] = {}
        self._scenarios = OfferedScenarios()
        scheme = "https" if certificate else "http"
        name = host if host != "0.0.0.0" else socket.gethostname()  # noqa: S104 - the user's choice
        self.url = f"{scheme}://{name}:{self._bound.getsockname()[1]}/{self._token}/harness/"
        routes = [
            Route("/package/{name}/{file:path}", self._package, methods=["GET"]),
            Route("/faults/{name}/{path:path}", self._faulty, methods=["GET"]),
            Route("/file/{name}", self._get, methods=["GET"]),
            Route("/file/{name}", self._put, methods=["PUT"]),
            WebSocketRoute("/socket", self._socket),
            Mount("/harness", _Uncached(directory=web / "harness", html=True)),
            Mount("/dist", _Uncached(directory=web / "dist")),
        ]
        config = uvicorn.Config(
            Starlette(routes=[Mount(f"/{self._token}", routes=routes)]),
            log_level="critical",
            access_log=False,
            ws="websockets-sansio",
            ws_max_size=LONGEST_LINE,
            ws_ping_interval=None,  # a page at work answers no ping; the suite's own limit is enough
            timeout_graceful_shutdown=0,
            lifespan="off",
            ssl_certfile=certificate and certificate[0],
            ssl_keyfile=certificate and certificate[1],
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._run, daemon=True, name="page server")
        self._thread.start()

    def connection(self, timeout: float) -> WebSocketConnection | None:
        """Return the next page that connects; None if none does in time."""
        try:
            return self._connections.get(timeout=timeout)
        except Empty:
            return None

    def package(self, directory: str) -> str:
        """Return the address, relative to the page, at which a package is served."""
        for name, path in self._packages.items():
            if path == Path(directory):
                return f"../package/{name}/"
        name = str(len(self._packages) + 1)
        self._packages[name] = Path(directory)
        return f"../package/{name}/"

    @contextmanager
    def exchange(self, paths: Mapping[str, str]) -> Iterator[dict[str, str]]:
        """Provide addresses for files, by the same keys: the page may get and put them meanwhile."""
        names = {key: token_urlsafe(9) for key in paths}
        self._files.update({names[key]: Path(path) for key, path in paths.items()})
        try:
            yield {key: f"../file/{name}" for key, name in names.items()}
        finally:
            for name in names.values():
                del self._files[name]

    @contextmanager
    def offered(self, scenario: Scenario) -> Iterator[tuple[str, FaultFiles]]:
        """Provide the address, relative to the page, of a scenario's files, and who knows of requests."""
        compresses = any(fault["do"] == "compress" for fault in scenario.faults)
        with self._scenarios.offered(scenario) as (name, files):
            # by its other name this machine is another origin, which hides compression from the page
            if compresses and self.url.startswith("http://127.0.0.1:"):
                port = self._bound.getsockname()[1]
                yield f"http://localhost:{port}/{self._token}/faults/{name}/", files
            else:
                yield f"../faults/{name}/", files

    def close(self) -> None:
        """Stop serving."""
        self._scenarios.close()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(START)
        self._bound.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._bound]))

    async def _package(self, request: Request) -> Response:
        folder = self._packages.get(request.path_params["name"])
        name = request.path_params["file"]
        if folder is not None and not name:
            return JSONResponse(listing(folder), headers=HEADERS)
        # a package is flat, and what it is must not be judged here: FIFOs and links are refused as absent
        if folder is None or "/" in name or name in (".", ".."):
            raise HTTPException(404)
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise HTTPException(404)
        return FileResponse(
            file, headers=HEADERS, media_type=TYPES.get(file.suffix, "application/octet-stream")
        )

    async def _faulty(self, request: Request) -> Response:
        files, path = self._scenarios.files(request.path_params["name"]), request.path_params["path"]
        if files is None:
            raise HTTPException(404)
        response = files.answer(path, request.headers, request.url.query)
        return StreamingResponse(_paced(files.pieces(response, path)), response.status, response.headers)

    async def _get(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None or not file.is_file():
            raise HTTPException(404)
        return FileResponse(file, headers=HEADERS, media_type="application/octet-stream")

    async def _put(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        size = 0
        with file.open("wb") as stream:
            async for chunk in request.stream():
                size += len(chunk)
                if size > LARGEST:
                    raise HTTPException(413)
                stream.write(chunk)
        return Response(status_code=204, headers=HEADERS)

    async def _socket(self, socket_: WebSocket) -> None:
        await socket_.accept()
        if self._current is not None:
            await socket_.close(BUSY, "another page is connected")
            return
        connection = self._current = WebSocketConnection(socket_, asyncio.get_running_loop())
        self._connections.put(connection)
        try:
            while connection.received.qsize() < UNREAD:
                connection.received.put(await socket_.receive_text())
            await socket_.close()
        except (WebSocketDisconnect, KeyError, RuntimeError):  # KeyError: a binary message
            pass
        finally:
            self._current = None
            connection.received.put(None)


async def _paced(pieces: Generator[bytes, None, None]) -> AsyncIterator[bytes]:
    """Yield pieces, with a pause for each empty one; a page that leaves cancels this, which closes them."""
    with closing(pieces):
        for piece in pieces:
            if piece:
                yield piece
            else:
                await asyncio.sleep(POLL)


class _Uncached(StaticFiles):
    """Static files that a browser does not keep: the next run may have others."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS)
        if (kind := TYPES.get(Path(str(args[0])).suffix)) is not None:
            response.headers["content-type"] = kind
        return response
