"""Runtimes that replay programs, as the JavaScript runtime does: each request comes with its plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .adapter import BrokenAdapter
from .jsonlines import JsonLines
from .location import data
from .messages import Message
from .plans import Plans

SOURCE = Path("node", "adapter.mjs")
BUNDLE = Path("dist", "adapter.mjs")


class Replaying(JsonLines):
    """The runtime that a command line starts, with a program for each request."""

    def __init__(
        self, command: str, timeout: float = 30, environment: Mapping[str, str] | None = None
    ) -> None:
        """Keep the command, as `JsonLines` does."""
        super().__init__(command, timeout, environment)
        self._plans = Plans()

    def close(self) -> None:
        """Say good-bye, and remove the files."""
        super().close()
        self._plans.close()

    def _ask(self, **request: Any) -> Message:
        return super()._ask(**self._plans.with_plan(request))


def script() -> Path:
    """Return the adapter for Node and Deno: from its sources, where there are any, else in one file.

    Raises BrokenAdapter.
    """
    web = data("web")
    if (web / SOURCE).is_file():
        if not (web / "node_modules" / "@huggingface").is_dir():
            raise BrokenAdapter(f"npm's packages are not installed: run npm ci --ignore-scripts in {web}")
        return web / SOURCE
    if not (web / BUNDLE).is_file():
        raise BrokenAdapter(f"{web / BUNDLE} is missing: this installation was built without it")
    return web / BUNDLE
