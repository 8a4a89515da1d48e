"""`--runtime=browser:…`: the protocol with a page, and pages that violate it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import numpy as np
import pytest

import llq_format
from conformance.core.runtime import BrokenAdapter, Declined, Errored, TimedOut
from conformance.core.vectors import load
from conformance.runtimes import find
from conformance.runtimes.javascript import launchers
from conformance.runtimes.javascript.browser import BrowserRuntime
from conformance.runtimes.javascript.browser_connection import BrowserCommand
from tests.support.repository import ROOT, WEB
from tests.support.timeouts import SHORT, seconds, short_limit

pytestmark = pytest.mark.browser

VECTORS = {vector.id: vector for vector in load() if vector.valid}
WORKED = VECTORS["worked-example"]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Provide a folder of web files with the harness of this test in the runtime's place."""
    folder = tmp_path_factory.mktemp("web")
    shutil.copytree(WEB / "harness", folder / "harness")
    (folder / "dist").mkdir()
    shutil.copy(ROOT / "tests" / "support" / "web" / "pages" / "decoder.js", folder / "dist" / "harness.js")
    return folder


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a package whose tensors are named after the page's reaction to a request for them."""
    directory = tmp_path_factory.mktemp("misbehaving") / "package"
    names = ("chatty", "close", "complain", "hang", "loop", "silent")
    llq_format.save(directory, {name: np.ones((1, 1), np.float32) for name in names})
    return directory


@pytest.fixture(scope="module")
def runtime(web: Path) -> Iterator[BrowserRuntime]:
    runtime = BrowserRuntime(command("chromium"), seconds(30), web=web)
    yield runtime
    runtime.close()


def command(kind: str) -> BrowserCommand:
    program = launchers.find(kind)
    if program is None:
        pytest.fail(f"these tests need {kind}: .ci/system-packages installs it")
    return BrowserCommand(kind, program, None)


def decodes(runtime: BrowserRuntime) -> bool:
    """Return whether the simplest vector comes out right."""
    (name, expected), *_ = WORKED.tensors.items()
    return bool(np.array_equal(runtime.decode(WORKED.package, name), np.load(expected)))


def fetch(url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Return status and body."""
    method = "GET" if body is None else "PUT"
    request = Request(url, body, headers, method=method)  # noqa: S310  # the suite's own server
    try:
        with urlopen(request, timeout=seconds(30)) as response:  # noqa: S310
            return response.status, response.read()
    except HTTPError as error:
        with error:
            return error.code, b""


def test_the_page_identifies_itself_and_decodes(runtime: BrowserRuntime) -> None:
    assert runtime.capabilities == {"decode"}
    assert str(runtime.info) == "decoder 1 (JavaScript)"
    checked = 0
    for vector in list(VECTORS.values())[:12]:
        for name, expected in vector.tensors.items():
            weights, reference = runtime.decode(vector.package, name), np.load(expected)
            assert weights.shape == reference.shape
            assert np.array_equal(weights.view(np.uint32), reference.view(np.uint32)), vector.id
            checked += 1
    assert checked >= 12


def test_an_error_is_reported_with_the_output_of_the_page(runtime: BrowserRuntime, misbehaving: Path) -> None:
    with pytest.raises(Declined, match="TypeError: this cannot be") as raised:
        runtime.decode(misbehaving, "complain")
    assert "the adapter was lost" in raised.value.detail
    assert decodes(runtime)


@pytest.mark.parametrize("kind", ["hang", "loop"])
def test_a_page_that_hangs_is_ended_and_the_next_request_gets_a_new_one(
    runtime: BrowserRuntime, misbehaving: Path, kind: str
) -> None:
    assert decodes(runtime)
    with short_limit(runtime), pytest.raises(TimedOut, match=f"no answer to 'decode' within {SHORT} s"):
        runtime.decode(misbehaving, kind)
    assert decodes(runtime)


def test_a_page_that_is_closed_is_reported_and_replaced(runtime: BrowserRuntime, misbehaving: Path) -> None:
    with pytest.raises(Errored, match="the page was closed or crashed during 'decode'"):
        runtime.decode(misbehaving, "close")
    assert decodes(runtime)


def test_answers_that_break_the_protocol_are_reported(runtime: BrowserRuntime, misbehaving: Path) -> None:
    with pytest.raises(BrokenAdapter, match="there is no file at `output`"):
        runtime.decode(misbehaving, "silent")
    with pytest.raises(BrokenAdapter, match="does not match its schema"):
        runtime.decode(misbehaving, "chatty")
    assert decodes(runtime)


def test_nothing_is_left_of_the_browser(web: Path) -> None:
    runtime = BrowserRuntime(command("chromium"), seconds(30), web=web)
    assert decodes(runtime)
    browser = runtime._process._browser  # type: ignore[union-attr]  # noqa: SLF001
    profile = Path(browser._profile.name)  # noqa: SLF001
    assert profile.exists()
    runtime.close()
    assert browser.gone
    assert not profile.exists()


def test_the_server_gives_nothing_without_the_token_nor_other_files(web: Path, tmp_path: Path) -> None:
    runtime = BrowserRuntime(None, 3, web=web)
    server = runtime._server  # noqa: SLF001
    (tmp_path / "file").write_text("text")
    (tmp_path / "link").symlink_to(web / "dist" / "harness.js")
    folder = urljoin(server.url, server.package(str(tmp_path)))
    root = "/".join(server.url.split("/")[:3])
    assert runtime.invitation == f"open {server.url}"
    assert server.url.startswith("http://127.0.0.1:")
    assert fetch(server.url)[0] == 200
    assert fetch(folder + "file") == (200, b"text")
    assert json.loads(fetch(folder)[1]) == [
        {"name": "file", "kind": "file", "size": 4},
        {"name": "link", "kind": "other", "size": (tmp_path / "link").lstat().st_size},
    ]
    assert fetch(folder + "file", range="bytes=1-2") == (206, b"ex")
    missing = [root + "/harness/", root + "/", folder + "link", folder + "..%2ffile", folder + "none"]
    assert [fetch(url)[0] for url in missing] == [404] * len(missing)
    assert fetch(folder + "file", b"other")[0] == 405
    assert fetch(urljoin(server.url, "../file/none"), b"other")[0] == 404
    runtime.close()


def test_a_page_that_nobody_opens_is_reported(web: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.runtimes.javascript.browser.OPENING_TIMEOUT", SHORT)
    runtime = BrowserRuntime(None, 3, web=web)
    with pytest.raises(BrokenAdapter, match="not opened by anybody"):
        runtime.decode(WORKED.package, "weight")
    runtime.close()


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("browser:opera", "browsers are chromium, firefox, wait"),
        ("browser:chromium,port=1", "options as in"),
        ("browser:wait,port=none", "port must be a number"),
        ("browser:wait,certificate=file", "must be given together"),
    ],
)
def test_specs_that_cannot_be_are_reported(spec: str, message: str) -> None:
    with pytest.raises(find.UnknownRuntimeError, match=message):
        find.find(spec, 3)
