"""The browsers that the suite can start by itself: headless, with WebGPU, each in a profile of its own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

CHROMIUM = (
    "--headless",
    "--no-sandbox",  # containers lack what the sandbox needs; only our own page is opened
    "--enable-unsafe-webgpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-dev-shm-usage",
    "--password-store=basic",
    "--metrics-recording-only",
)

FIREFOX = {
    "dom.webgpu.enabled": True,
    "gfx.webgpu.ignore-blocklist": True,
    "gfx.webrender.all": True,
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.max_script_run_time": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "",
    "toolkit.telemetry.unified": False,
}

NAMES = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"),
    "firefox": ("firefox-esr", "firefox"),
}
"""What the programs are called."""

ADAPTERS = {"chromium": "swiftshader"}
"""The adapter that a browser uses unless told another; `default` is what it would use by itself."""


def find(kind: str) -> str | None:
    """Return the path of a browser, or None if it is not installed."""
    return next((path for name in NAMES[kind] if (path := shutil.which(name))), None)


class Launch(Protocol):
    """How a browser is started: its kind and program, an adapter or None, and further flags."""

    kind: str
    program: str
    adapter: str | None
    flags: tuple[str, ...]


def command(launch: Launch, profile: Path, url: str) -> list[str]:
    """Return the command line that opens a page, after writing what the profile needs.

    Further flags come last, because the last of several values of a flag counts.
    """
    return [*_COMMANDS[launch.kind](launch, profile), *launch.flags, url]


def _chromium(launch: Launch, profile: Path) -> list[str]:
    adapter = launch.adapter or ADAPTERS["chromium"]
    options = [] if adapter == "default" else [f"--use-webgpu-adapter={adapter}"]
    return [launch.program, *CHROMIUM, *options, f"--user-data-dir={profile}"]


def _firefox(launch: Launch, profile: Path) -> list[str]:
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in FIREFOX.items()]
    (profile / "user.js").write_text("".join(lines), encoding="utf-8")
    return [launch.program, "--headless", "--no-remote", "--new-instance", "--profile", str(profile)]


_COMMANDS: dict[str, Callable[[Launch, Path], list[str]]] = {
    "chromium": _chromium,
    "firefox": _firefox,
}
