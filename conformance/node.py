"""The JavaScript runtime in Node: `--runtime=node`, on Dawn. `web/node/adapter.mjs` speaks the protocol."""

import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from .jsonlines import JsonLines
from .messages import Message
from .plans import Plans

WEB = Path(__file__).parents[1] / "web"

DRIVERS = (
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
)
"""Manifests of SwiftShader, which Chromium ships: Dawn refuses the lavapipe of older Mesas."""


class NodeError(ValueError):
    """What the runtime needs is not installed."""


class Node(JsonLines):
    """The runtime that `web/node/adapter.mjs` is, with a program for each request."""

    def __init__(self, timeout: float = 30, variant: str | None = None, driver: str | None = None) -> None:
        """Look for Node and the package's dependencies.

        variant: the only one of the module's that will do. driver: the manifest of a Vulkan driver, or
        `system` for whatever the loader finds; by default SwiftShader's, where Chromium is installed.
        Raises NodeError.
        """
        node = shutil.which("node")
        if node is None:
            raise NodeError("node is not on the path: install Node.js 20 or newer")
        if not (WEB / "node_modules" / "webgpu").is_dir():
            raise NodeError(f"npm's packages are not installed: run `npm ci --ignore-scripts` in {WEB}")
        words = [node, str(WEB / "node" / "adapter.mjs"), *([variant] if variant else [])]
        super().__init__(shlex.join(words), timeout, _environment(driver))
        self._plans = Plans()

    def close(self) -> None:
        """Say good-bye, and remove the files."""
        super().close()
        self._plans.close()

    def _ask(self, **request: Any) -> Message:
        return super()._ask(**self._plans.with_plan(request))


def _environment(driver: str | None) -> dict[str, str]:
    """Return what the Vulkan loader has to be told beside the environment of this process."""
    if driver is None and not {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"} & set(os.environ):
        driver = next((path for path in DRIVERS if Path(path).is_file()), None)
    if driver in (None, "system"):
        return {}
    if not Path(str(driver)).is_file():
        raise NodeError(f"there is no driver manifest {driver}")
    return {"VK_ICD_FILENAMES": str(driver), "VK_DRIVER_FILES": str(driver)}
