"""Middleware that refuses requests addressed to other hosts than those expected."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@]+)(:[0-9]*)?")
"""A Host header: a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port."""


class KnownHosts:
    """Answers 400 unless the Host header names one of `hosts`, whatever its port.

    Starlette's TrustedHostMiddleware cuts the header at its first colon in versions up to 1.6, and so
    refuses every IPv6 address.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on to the application, or refuse it."""
        if scope["type"] == "http" and _host(Headers(scope=scope).get("host", "")) not in self._hosts:
            await PlainTextResponse("Invalid host header", status_code=400)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _host(header: str) -> str:
    """Return the name in a Host header, "" if the header is malformed."""
    match = _HOST.fullmatch(header.lower())
    return match["name"] if match else ""
