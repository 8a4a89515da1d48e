"""A runtime in a browser: `--runtime=browser:chromium`, `browser:firefox`, or `browser:wait` for any other.

The page `web/harness/` speaks the protocol of adapters over a WebSocket and claims its capabilities itself.
"""

from contextlib import AbstractContextManager
from pathlib import Path

from ...core.api_scenario import Scenario
from ...core.data import data
from ..command import STARTUP
from ..fault_files import FaultFiles
from .base import JavaScriptRuntime, built_file
from .browser_connection import BrowserCommand, BrowserConnection
from .browser_server import BrowserServer

OPENING_TIMEOUT = 600
"""Seconds in which somebody may open the page."""

BUNDLE = Path("dist", "harness.js")


class BrowserRuntime(JavaScriptRuntime):
    """The runtime of the harness page."""

    def __init__(  # noqa: PLR0913 - one argument an option
        self,
        command: BrowserCommand | None,
        timeout: float = 30,
        *,
        web: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: tuple[str, str] | None = None,
        thread: str = "page",
    ) -> None:
        """Serve the page; the browser starts with the first question. None for a command: somebody opens it.

        Models of the interface are in the thread of the page, or in a worker.

        Raises BrokenAdapter where the page is not built, OSError where it cannot be served.
        """
        folder = web or data("web")
        built_file(folder, BUNDLE)
        self._start_browser = command
        self._server = BrowserServer(folder, host, port, certificate)
        if thread != "page":
            self._server.url += f"?thread={thread}"
        super().__init__("", timeout)

    @property
    def invitation(self) -> str:
        """What a person must do, if anything."""
        return "" if self._start_browser else f"open {self._server.url}"

    def close(self) -> None:
        """Say good-bye, end the browser and stop serving."""
        super().close()
        self._server.close()

    def _offered(self, scenario: Scenario) -> AbstractContextManager[tuple[str, FaultFiles]]:
        return self._server.offered(scenario)

    def _start(self) -> BrowserConnection:
        timeout = STARTUP * self.timeout if self._start_browser else OPENING_TIMEOUT
        return BrowserConnection(self._server, self._start_browser, timeout)
