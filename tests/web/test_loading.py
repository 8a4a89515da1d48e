"""Loading in Chromium without a GPU: workers, stores of the platform, and pages that may not use them."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from llq_format.package.attach_program import attach
from llq_format.synth import GEOMETRIES, synth
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from tests.support.repository import ROOT
from tests.support.web.chromium import chromium, new_page
from tests.support.web.compressing import compressing
from tests.support.web.serving import served

pytestmark = pytest.mark.browser

SCRIPT = (ROOT / "tests" / "support" / "web" / "pages" / "loading.js").read_text("utf-8") + ";0"
"""Defines `loadPackage`. Its value is no function, which Playwright would call."""
IN_CACHE_STORAGE = "caches.open('webgpu-llama4-1').then((cache) => cache.keys()).then(({ length }) => length)"
SHARDS = "**/model/*.llq"
METADATA = "**/model/metadata.json"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # a frame without an origin may otherwise not reach a server of this machine
    with chromium("--disable-features=LocalNetworkAccessChecks") as browser:
        yield browser


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a package of two shards, large enough for workers."""
    directory = tmp_path_factory.mktemp("loading") / "package"
    synth("smollm2-135m", directory, layers=1, shard_limit=1 << 25)
    attach(directory, module_bytes(), program_maker())
    return directory


@pytest.fixture(scope="module")
def url(package: Path) -> Iterator[str]:
    with served(package, "--allow-origin", "*") as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with new_page(browser) as page:
        opened(page, url)
        yield page


def opened(page: Page, url: str, **headers: str) -> None:
    """Open an empty page of the server, with further headers, that can load packages."""
    body = "<!doctype html><title>Loading</title>"
    page.route(
        f"{url}empty", lambda route: route.fulfill(body=body, content_type="text/html", headers=headers)
    )
    page.goto(f"{url}empty")
    page.evaluate(SCRIPT)


def loaded(
    page: Page, url: str, address: str = "model/", *, expect_error: bool = False, **options: Any
) -> dict[str, Any]:
    """Load the package in the page, and return what was seen."""
    result: dict[str, Any] = page.evaluate(
        "([bundle, url, options]) => loadPackage(bundle, url, options)",
        [f"{url}dist/webgpu-llama4.js", urljoin(url, address), options],
    )
    assert "code" not in result or expect_error, result
    return result


def hashes(package: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(package.glob("*.llq"))]


def test_workers_check_and_store_what_a_second_load_reads(page: Page, url: str, package: Path) -> None:
    fresh = loaded(page, url)
    assert fresh["hashes"] == hashes(package), fresh
    assert fresh["workers"] > 0
    assert not any(fresh["cached"])
    [stored] = fresh["stored"]
    assert stored["url"] == f"{url}model/"
    assert stored["bytes"] > sum(path.stat().st_size for path in package.glob("*.llq"))
    assert page.evaluate(IN_CACHE_STORAGE) == 0  # but in files, which are faster
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    cached = loaded(page, url)
    assert cached["hashes"] == fresh["hashes"]
    assert all(cached["cached"])
    assert [request for request in requests if "/model/" in request] == [f"{url}model/metadata.json"]


def test_requests_of_workers_carry_the_query_and_the_headers(page: Page, url: str, package: Path) -> None:
    carried: list[tuple[str, str | None]] = []

    def note(route: Route) -> None:
        carried.append((urlsplit(route.request.url).query, route.request.headers.get("x-llq-key")))
        route.continue_()

    page.route("**/model/*", note)
    fresh = loaded(page, url, "model/?key=1", headers={"x-llq-key": "2"})
    assert fresh["hashes"] == hashes(package), fresh
    assert fresh["workers"] > 0
    assert len(carried) > 4
    assert set(carried) == {("key=1", "2")}
    [stored] = fresh["stored"]
    assert stored["url"] == f"{url}model/"
    assert all(loaded(page, url, "model/?key=3")["cached"])  # the server has sent metadata.json for it
    page.route(f"{METADATA}*", lambda route: route.fulfill(status=403))
    for address in ("model/", "model/?key=1"):
        assert loaded(page, url, address, expect_error=True)["code"] == "status"


def test_a_function_of_the_page_makes_all_requests_and_workers_check(
    page: Page, url: str, package: Path
) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    fresh = loaded(page, url, ownFetch=True)
    assert fresh["hashes"] == hashes(package), fresh
    assert fresh["workers"] > 0
    assert sorted(fresh["asked"]) == sorted(request for request in requests if "/model/" in request)


def test_a_mirror_that_workers_do_not_reach_is_left(page: Page, url: str, package: Path) -> None:
    page.route("**/model/*00002*", lambda route: route.abort())
    page.route("**/mirror/*", lambda route: route.continue_(url=route.request.url.replace("mirror", "model")))
    fresh = page.evaluate(
        "([bundle, urls]) => loadPackage(bundle, urls, { fetching: { delay: 1 } })",
        [f"{url}dist/webgpu-llama4.js", [f"{url}model/", f"{url}mirror/"]],
    )
    assert fresh["hashes"] == hashes(package), fresh
    assert fresh["workers"] > 0


@pytest.mark.parametrize("status", [403, 429, 502])
def test_a_stored_package_loads_while_the_server_refuses(page: Page, url: str, status: int) -> None:
    loaded(page, url)
    page.route("**/model/**", lambda route: route.fulfill(status=status, headers={"retry-after": "60"}))
    assert all(loaded(page, url)["cached"])
    page.route(METADATA, lambda route: route.fulfill(status=404))
    assert loaded(page, url, expect_error=True)["code"] == "not-found"


def test_every_address_of_a_package_clears_it(page: Page, url: str) -> None:
    for address in ("model", "model/metadata.json", "model/x.wgsl", f"{url}model/"):
        loaded(page, url)
        stored = page.evaluate(
            """async ([bundle, address]) => {
                const { WebGPULlama4 } = await import(bundle);
                const before = (await WebGPULlama4.cache.list()).length;
                await WebGPULlama4.cache.clear(address);
                return [before, (await WebGPULlama4.cache.list()).length];
            }""",
            [f"{url}dist/webgpu-llama4.js", address],
        )
        assert stored == [1, 0], address


def test_a_stored_file_that_is_damaged_is_fetched_again(page: Page, url: str) -> None:
    fresh = loaded(page, url)
    page.evaluate(
        """async () => {
            const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("webgpu-llama4-1");
            for await (const directory of root.values()) {
                for await (const file of directory.values()) {
                    if (!/[.]0-[0-9]{7,}$/.test(file.name)) continue;
                    const bytes = new Uint8Array(await (await file.getFile()).arrayBuffer());
                    bytes[5000] ^= 1;
                    const writable = await file.createWritable();
                    await writable.write(bytes);
                    await writable.close();
                }
            }
        }"""
    )
    again = loaded(page, url)
    assert again["hashes"] == fresh["hashes"]
    assert False in again["cached"]
    assert all(loaded(page, url)["cached"])  # the damage is mended


def test_without_a_cache_nothing_is_stored(page: Page, url: str) -> None:
    result = loaded(page, url, cache=False)
    assert result["stored"] == []
    assert not any(result["cached"])


def test_a_page_that_forbids_workers_loads_by_itself(browser: Browser, url: str, package: Path) -> None:
    with new_page(browser) as page:
        opened(page, url, **{"content-security-policy": "worker-src 'none'"})
        fresh = loaded(page, url)
        assert fresh["hashes"] == hashes(package), fresh
        assert page.evaluate(IN_CACHE_STORAGE) > 0
        assert all(loaded(page, url)["cached"])


def test_a_sandboxed_frame_loads_without_a_cache(page: Page, url: str, package: Path) -> None:
    page.evaluate(
        """() => new Promise((resolve) => {
            const frame = document.createElement("iframe");
            frame.sandbox = "allow-scripts";
            frame.srcdoc = "<!doctype html><title>Frame</title>";
            frame.onload = resolve;
            document.body.append(frame);
        })"""
    )
    frame = page.frames[-1]
    frame.evaluate(SCRIPT)
    result = frame.evaluate(
        "([bundle, url]) => loadPackage(bundle, url)", [f"{url}dist/webgpu-llama4.js", f"{url}model/"]
    )
    assert result["hashes"] == hashes(package), result
    assert result["stored"] == []


def test_damaged_shards_are_refused_by_workers(page: Page, url: str, tmp_path: Path) -> None:
    model = replace(GEOMETRIES["tiny"], vocab_size=1 << 15)
    synth(model, tmp_path / "package", shard_limit=1 << 22)  # workers take it

    def damage(route: Route) -> None:
        file = tmp_path / "package" / Path(route.request.url).name
        body = bytearray(file.read_bytes())
        if file.suffix == ".llq":
            body[-300] ^= 1
        first, last = 0, len(body) - 1
        if span := route.request.headers.get("range"):
            first, last = map(int, span.removeprefix("bytes=").split("-"))
        headers = {"content-range": f"bytes {first}-{last}/{len(body)}"} if span else {}
        status = 206 if span else 200
        route.fulfill(status=status, headers=headers, body=bytes(body[first : last + 1]))

    page.route("**/damaged/*", damage)
    result = loaded(page, url, "damaged/", expect_error=True)
    assert result["rule"] == "LLQ-HASH-1", result


TEXTS = r"\.(json|wgsl)$"


RANGES = pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])


@RANGES
@pytest.mark.parametrize("compressed", [TEXTS, r"\."], ids=["texts", "all files"])
def test_another_origin_may_compress_files_and_hide_it(
    page: Page, url: str, package: Path, compressed: str, *, ranges: bool
) -> None:
    with compressing(package, compressed, ranges=ranges) as other:
        result = loaded(page, url, other, cache=False)
    assert result["hashes"] == hashes(package), result


@RANGES
@pytest.mark.parametrize("change", [(".json", -10), (".json", 10), (".llq", -256), (".llq", 256)])
def test_a_file_of_another_origin_with_a_wrong_length_is_refused(
    page: Page, url: str, package: Path, change: tuple[str, int], *, ranges: bool
) -> None:
    suffix, length = change

    def changed(name: str, data: bytes) -> bytes:
        if not name.endswith(suffix) or name == "metadata.json":
            return data
        return data[:length] if length < 0 else data + bytes(length)

    with compressing(package, "^$", ranges=ranges, change=changed) as other:
        assert loaded(page, url, other, expect_error=True, cache=False)["rule"] == "LLQ-PKG-8"


@pytest.mark.parametrize("context", [1 << 31, 8193])
def test_a_context_longer_than_the_models_is_refused_before_a_shard_is_requested(
    page: Page, url: str, context: int
) -> None:
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url.rpartition("/")[2]))
    assert loaded(page, url, expect_error=True, contextLength=context)["code"] == "context"
    assert "metadata.json" in requests
    assert [name for name in requests if name.endswith(".llq")] == []


OPTIONS = {
    "contextLenght": "did you mean contextLength?",
    "Cache": "did you mean cache?",
    "temperature": "options are signal, onProgress",
}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_unknown_option_of_loading_is_refused_with_the_nearest_name(
    page: Page, url: str, name: str
) -> None:
    options: dict[str, Any] = {name: 1}
    result = loaded(page, url, expect_error=True, **options)
    assert result["code"] == "input"
    assert OPTIONS[name] in result["message"]


STAGES = [
    ("metadata", ""),
    ("program", ""),
    ("device", "requestAdapter"),
    ("device", "requestDevice"),
    ("device", "popErrorScope"),
    ("weights", "onSubmittedWorkDone"),
    ("pipelines", "createComputePipelineAsync"),
]


@pytest.mark.parametrize(("phase", "waits"), STAGES)
def test_a_load_is_aborted_at_every_stage(page: Page, url: str, phase: str, waits: str) -> None:
    def hold(_route: Route) -> None:
        """Answer nothing."""

    if not waits:
        page.route(f"**/model/{phase}.json", hold)
    seen = page.evaluate(
        "([bundle, url, phase, waits]) => abortedLoad(bundle, url, phase, waits)",
        [f"{url}dist/webgpu-llama4.js", f"{url}model/", phase, waits],
    )
    assert (seen["reason"], seen["late"]) == (True, 0), seen


@pytest.mark.parametrize(("absent", "asked", "code"), [(0, 1, None), (2, 3, None), (9, 4, "no-adapter")])
def test_a_platform_without_an_adapter_is_asked_again(
    page: Page, url: str, absent: int, asked: int, code: str | None
) -> None:
    seen = page.evaluate(
        "([bundle, url, absent]) => loadWithLateAdapter(bundle, url, absent)",
        [f"{url}dist/webgpu-llama4.js", f"{url}model/", absent],
    )
    assert seen == {"asked": asked, "code": code, "pauses": asked - 1}
