"""The JavaScript runtime in Deno: `--runtime=deno`, on wgpu. `web/node/adapter.mjs` speaks the protocol."""

import shlex
import shutil

from .base import JavaScriptRuntime, script
from .node import NodeError, driver_variables

FLAGS = (
    "--quiet",
    "--no-prompt",
    "--no-remote",
    "--no-lock",
    "--node-modules-dir=manual",
    "--allow-read",
    "--allow-write",
    "--allow-env",
    "--allow-net=127.0.0.1",  # the suite serves the files of `api` there
    "--unstable-webgpu",
)


class DenoRuntime(JavaScriptRuntime):
    """The runtime in Deno, whose WebGPU is part of it: no package of npm is needed for it."""

    def __init__(self, timeout: float = 30, variant: str | None = None, driver: str | None = None) -> None:
        """Find Deno.

        variant: the only one of the module's that will do. driver: the manifest of a Vulkan driver; by
        default whatever the loader finds. Raises NodeError, BrokenAdapter.
        """
        deno = shutil.which("deno")
        if deno is None:
            raise NodeError("deno is not on the path: pip install deno, or npm install deno")
        words = [deno, "run", *FLAGS, str(script()), *([variant] if variant else [])]
        super().__init__(shlex.join(words), timeout, driver_variables(driver))
