"""Runtimes that execute programs, as the JavaScript runtime does: each request comes with its plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.data import data
from ...core.runtime import BrokenAdapter
from ..command import CommandRuntime
from ..messages import Message
from ..programs import Programs

SOURCE = Path("node", "adapter.mjs")
BUNDLE = Path("dist", "adapter.mjs")


class JavaScriptRuntime(CommandRuntime):
    """The runtime that a command line starts, with a program for each request."""

    def __init__(
        self, command: str, timeout: float = 30, environment: Mapping[str, str] | None = None
    ) -> None:
        """Keep the command, as `CommandRuntime` does."""
        super().__init__(command, timeout, environment)
        self._programs = Programs()

    def close(self) -> None:
        """Say good-bye, and remove the files."""
        super().close()
        self._programs.close()

    def _ask(self, **request: Any) -> Message:
        return super()._ask(**self._programs.with_plan(request))


def script() -> Path:
    """Return the adapter for Node and Deno: from its sources, where there are any, else in one file.

    Raises BrokenAdapter.
    """
    web = data("web")
    if not (web / SOURCE).is_file():
        return built_file(web, BUNDLE)
    if not (web / "node_modules" / "@huggingface").is_dir():
        raise BrokenAdapter(f"the npm packages are not installed: run npm ci --ignore-scripts in {web}")
    return web / SOURCE


def built_file(web: Path, name: Path) -> Path:
    """Return the path of a file that the build of `web/` makes. Raises BrokenAdapter if it did not."""
    if (web / name).is_file():
        return web / name
    if (web / "package.json").is_file():
        remedy = f"run npm ci --ignore-scripts and npm run build in {web}"
    else:
        remedy = "this installation does not contain the built files of web/; install a published wheel"
    raise BrokenAdapter(f"{name.name} is not built: {remedy}")
