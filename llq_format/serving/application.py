"""The application that `llq serve` runs: the package below /model/, the demo page below /demo/."""

from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llq_format.metadata.metadata import FILE_NAME, Metadata
from llq_format.serving.files import Files
from llq_format.serving.hosts import Allows, HostCheck
from llq_format.serving.links import Links

ISOLATION = (
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-resource-policy", b"cross-origin"),
)
"""Headers of an isolated page, whose clock has a precision of 5 µs instead of 100 µs, for profile()."""

PUBLIC = ("demo", "dist")
"""The folders of web files that are served: the page, and the bundle."""


def application(  # noqa: PLR0913  # one argument an option
    directory: Path,
    metadata: Metadata,
    web: Path,
    *,
    origins: Sequence[str] = (),
    allows: Allows | None = None,
    links: Links | None = None,
) -> Starlette:
    """Return an application for a package's directory with its metadata, and the folder of the web files.

    Pages of `origins` may read the package. Requests are answered only if they name a host that `allows`
    allows: a page that gives this machine a name of its own could read a private model. None allows all.
    Files of the package may be symbolic links that `links` allows.
    """
    names = {FILE_NAME, *(entry.file for entry in metadata.files)}
    middleware = [Middleware(_Isolated)]
    if allows is not None:
        middleware.append(Middleware(HostCheck, allows=allows))
    if origins:
        middleware.append(
            Middleware(
                CORSMiddleware,
                allow_origins=list(origins),
                allow_methods=["GET", "HEAD"],
                allow_headers=["Range", "If-Range", "If-None-Match"],
                expose_headers=["Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Last-Modified"],
            )
        )
    routes = [
        Route("/", _to_the_demo),
        Mount("/model", Files(directory, names, links)),
        *(Mount(f"/{name}", Files(web / name)) for name in PUBLIC),
    ]
    return Starlette(routes=routes, middleware=middleware)


async def _to_the_demo(_request: Request) -> RedirectResponse:
    return RedirectResponse("/demo/")


class _Isolated:
    """Adds `ISOLATION` to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_isolated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: MutableMapping[str, Any] = message
                headers["headers"] = [*message.get("headers", ()), *ISOLATION]
            await send(message)

        await self.app(scope, receive, send_isolated if scope["type"] == "http" else send)
