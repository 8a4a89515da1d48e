"""The JavaScript runtime in Node: `--runtime=node`, on Dawn. `web/node/adapter.mjs` speaks the protocol."""

import os
import shlex
import shutil
from pathlib import Path

from .base import JavaScriptRuntime, script

DRIVERS = (
    "/usr/lib/chromium/vk_swiftshader_icd.json",
    "/usr/lib/chromium-browser/vk_swiftshader_icd.json",
    "/opt/google/chrome/vk_swiftshader_icd.json",
)
"""Manifests of SwiftShader, which Chromium ships: Dawn refuses the lavapipe of older Mesas."""

ALLOCATION = {"MALLOC_ARENA_MAX": "1"}
"""Variables of glibc: with an arena for each thread that compiles, SwiftShader holds twice the memory."""


class NodeError(ValueError):
    """What the runtime needs is not installed."""


class NodeRuntime(JavaScriptRuntime):
    """The runtime in Node."""

    def __init__(self, timeout: float = 30, variant: str | None = None, driver: str | None = None) -> None:
        """Find Node; the adapter finds npm's `webgpu` in its own folder or in the current directory.

        variant: the only one of the module's that will do. driver: the manifest of a Vulkan driver, or
        `system` for whatever the loader finds; by default SwiftShader's, where Chromium is installed.
        Raises NodeError, BrokenAdapter.
        """
        node = shutil.which("node")
        if node is None:
            raise NodeError("node is not on the path: install Node.js 20.10 or newer")
        words = [node, str(script()), *([variant] if variant else [])]
        variables = {name: value for name, value in ALLOCATION.items() if name not in os.environ}
        super().__init__(shlex.join(words), timeout, {**variables, **driver_variables(driver, DRIVERS)})


def driver_variables(driver: str | None, usual: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the further environment variables for the Vulkan loader.

    driver: a manifest; `system`; or None for the first of the `usual` ones that is installed.
    Raises NodeError.
    """
    if driver is None and not {"VK_ICD_FILENAMES", "VK_DRIVER_FILES"} & set(os.environ):
        driver = next((path for path in usual if Path(path).is_file()), None)
    if driver in (None, "system"):
        return {}
    if not Path(str(driver)).is_file():
        raise NodeError(f"driver manifest not found: {driver}")
    return {"VK_ICD_FILENAMES": str(driver), "VK_DRIVER_FILES": str(driver)}
