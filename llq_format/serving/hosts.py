"""The hosts that requests may name: a page that gives this machine a name of its own reads nothing."""

import re
import socket
from collections.abc import Callable, Collection
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""The names of the loopback addresses."""

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:@/\[\]]+))(?::\d*)?")

Allows = Callable[[str], bool]
"""Returns whether requests may name a host, in lower case and without brackets and port."""


def allowed_hosts(address: str, names: Collection[str] = ()) -> Allows:
    """Return which hosts requests may name when a server listens on an address.

    A loopback address is named as in `LOOPBACK`, another address as it was given. An address that stands for
    all addresses of this machine is named by any number, by `LOOPBACK` or by the name of this machine. A page
    of another site can only use a name. `names` are allowed in addition.
    """
    allowed = {_plain(name) for name in (address, *names)}
    if _is_unspecified(address):
        allowed |= {*LOOPBACK, socket.gethostname().lower()}
        return lambda host: host in allowed or _is_number(host)
    if _plain(address) in LOOPBACK:
        allowed |= set(LOOPBACK)
    return lambda host: host in allowed


def accepts_other_machines(address: str) -> bool:
    """Return whether a server that listens on an address is reachable from other machines."""
    plain = _plain(address)
    return not (plain == "localhost" or (_is_number(plain) and ip_address(plain).is_loopback))


class HostCheck:
    """Refuses requests to other hosts, with status 400."""

    def __init__(self, app: ASGIApp, allows: Allows) -> None:
        self.app = app
        self.allows = allows

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http":
            match = _HOST.fullmatch(Headers(scope=scope).get("host", ""))
            if match is None or not self.allows((match[1] or match[2]).lower()):
                await _refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


_refusal = PlainTextResponse("unknown host: start llq serve with --allow-host NAME to allow it\n", 400)


def _plain(host: str) -> str:
    return host.strip("[]").lower()


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_unspecified(address: str) -> bool:
    plain = _plain(address)
    return plain == "" or (_is_number(plain) and ip_address(plain).is_unspecified)
