"""Options of `--runtime=browser:chromium`: flags, driver and adapter reach the browser."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.runtimes.find import UnknownRuntimeError, find
from conformance.runtimes.javascript.browser_connection import BrowserCommand
from tests.support.timeouts import wait_until

STUB = """#!{python}
import json, os, sys
variables = {{name: os.environ.get(name) for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")}}
with open("{seen}.partial", "w") as file:
    json.dump([sys.argv[1:], variables], file)
os.rename("{seen}.partial", "{seen}")
"""
URL = "http://127.0.0.1:9/"


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    path = tmp_path / "icd.json"
    path.write_text("{}")
    return path


def started(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], dict[str, Any]]:
    """Return the arguments and variables that a stub of the browser gets."""
    stub, seen = tmp_path / "chromium", tmp_path / "seen.json"
    stub.write_text(STUB.format(python=sys.executable, seen=seen))
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    runtime: Any = find(spec, 1)
    try:
        command: BrowserCommand = runtime._start_browser  # noqa: SLF001  # what the spec chose
        browser = command.start(URL)
        wait_until(seen.exists)
        browser.end(0)
    finally:
        runtime.close()
    arguments, variables = json.loads(seen.read_text())
    return arguments, variables


def test_flags_and_driver_reach_the_browser(
    tmp_path: Path, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = '--enable-features=Vulkan,Other --use-angle=vulkan "--js-flags=a b"'
    spec = f"browser:chromium,adapter=default,flags='{flags}',driver={driver}"
    arguments, variables = started(spec, tmp_path, monkeypatch)
    assert arguments[-4:] == ["--enable-features=Vulkan,Other", "--use-angle=vulkan", "--js-flags=a b", URL]
    assert not any(argument.startswith("--use-webgpu-adapter") for argument in arguments)
    assert "--enable-unsafe-webgpu" in arguments
    assert variables == {"VK_DRIVER_FILES": str(driver), "VK_ICD_FILENAMES": str(driver)}


def test_without_options_swiftshader_is_the_adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, _ = started("browser:chromium", tmp_path, monkeypatch)
    assert "--use-webgpu-adapter=swiftshader" in arguments
    assert arguments[-1] == URL


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("driver=/nowhere/icd.json", "driver manifest not found: /nowhere/icd.json"),
        ("flags='--js-flags=\"a'", "No closing quotation"),
        ("flags=", "options as in"),
        ("flag=--x", "options as in"),
    ],
)
def test_options_that_cannot_be_are_reported(
    options: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "chromium").write_text("")
    (tmp_path / "chromium").chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(UnknownRuntimeError, match=message):
        find(f"browser:chromium,{options}", 1)
