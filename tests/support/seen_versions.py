"""Versions of the programs that tests use and no lock can pin: browsers, JavaScript runtimes, GPU drivers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version

from conformance.runtimes.javascript.launchers import find
from tests.support.repository import ROOT

TIME_LIMIT = 60
"""Seconds that a program may take to print its version, however busy the machine is."""


def seen_versions() -> list[str]:
    """Return a line for each program, and one for each GPU adapter."""
    commands = {
        "Chromium": [find("chromium"), "--version"],
        "Firefox": [find("firefox"), "--version"],
        "Node": [shutil.which("node"), "--version"],
        "Deno": [shutil.which("deno"), "--version"],
    }
    with ThreadPoolExecutor() as pool:
        adapters = pool.submit(_adapters)
        programs = pool.map(_version, commands.values())
        lines = [f"{name}: {text}" for name, text in zip(commands, programs, strict=True)]
        return [*lines, f"wgpu: {version('wgpu')}", *adapters.result()]


def _version(command: Sequence[str | None]) -> str:
    """Return the first line that a program prints of its version."""
    if command[0] is None:
        return "not found"
    output = _output([word for word in command if word is not None])
    return output.partition("\n")[0].strip() or "prints no version"


def _adapters() -> list[str]:
    """Return a line for each GPU adapter with its driver, such as Mesa's lavapipe."""
    output = _output([sys.executable, "-m", "llq_format", "devices", "--json"])
    if not output:
        return ["GPU adapters: none"]
    return [
        f"GPU adapter: {adapter['name']}, {adapter['backend']} {adapter['driver']}".rstrip()
        for adapter in json.loads(output)
    ]


def _output(command: Sequence[str]) -> str:
    """Return the output of a command, "" if it fails."""
    environment = {**os.environ, "NO_COLOR": "1"}
    process = subprocess.run(  # noqa: S603  # programs that the tests use too
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIME_LIMIT, env=environment
    )
    return process.stdout if process.returncode == 0 else ""
