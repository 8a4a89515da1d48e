"""An application on a port, which is bound before any output and closed by Ctrl-C."""

import errno
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

GRACE = 1
"""Time for downloads to finish when the server stops, in seconds."""


def listening(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 selects a free port.

    Raises ValueError with a remedy if the address is unavailable.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(128)
        except OSError:
            bound.close()
            raise
    except socket.gaierror as error:
        raise ValueError(f"--host {host} is not an address of this machine: {error.strerror}") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            remedy = "use --port N for another port, or --port 0 for a free port"
            raise ValueError(f"port {port} of {host} is used by another program: {remedy}") from error
        raise ValueError(f"cannot serve at {host}, port {port}: {error.strerror}") from error
    return bound


def url_of(bound: socket.socket, host: str) -> str:
    """Return the address of a bound socket for a browser on this machine."""
    port = bound.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{name}:{port}/"


def run(app: ASGIApp, bound: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until Ctrl-C; `ready` is called as soon as connections are accepted."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        lifespan="off",
    )
    server = uvicorn.Server(config)
    with bound, suppress(KeyboardInterrupt):
        ready()
        server.run(sockets=[bound])
