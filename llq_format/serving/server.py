"""An application on a port, which is bound before any output and closed by Ctrl-C."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from llq_format.serving.files import ChangedFileError

GRACE = 1
"""Time for downloads to finish when the server stops, in seconds."""


def listening(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 selects a free port.

    Raises ValueError with a remedy if the address is unavailable.
    """
    try:
        addresses = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = addresses[0]
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
    plain = host.strip("[]")
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(plain, f"[{plain}]" if ":" in plain else plain)  # noqa: S104
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
    logging.getLogger("uvicorn.error").addFilter(_in_one_line)
    server = uvicorn.Server(config)
    with bound, suppress(KeyboardInterrupt):
        ready()
        server.run(sockets=[bound])


def _in_one_line(record: logging.LogRecord) -> bool:
    """Return whether a record is worth a line: Ctrl-C during a download is not; a changed file needs one."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, asyncio.CancelledError) or record.msg.startswith("Cancel %s running task"):
        return False
    if isinstance(error, ChangedFileError):
        record.msg, record.args, record.exc_info = str(error), (), None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True
