"""Models in workers in Chromium: the calls of a page, workers of blobs, service workers, and policies."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.support.command_line import tiny
from tests.support.repository import WEB
from tests.support.web.chromium import chromium, new_page
from tests.support.web.scripted_package import PROMPT, TEXT, scripted_package
from tests.support.web.site import site

pytestmark = [pytest.mark.browser, pytest.mark.gpu]

POLICY = "<meta http-equiv='content-security-policy' content=\"worker-src 'none'\">"
BLOB_WORKER = """
    onmessage = async ({ data: { bundle, address, prompt } }) => {
        try {
            const { WebGPULlama4 } = await import(bundle);
            const model = await WebGPULlama4.loadModel(address, { cache: false });
            postMessage(await model.infer(prompt));
        } catch (error) {
            postMessage(`${error.code}: ${error.message}`);
        }
    };
"""
SERVICE_WORKER = """
    import { WebGPULlama4 } from "/webgpu-llama4.js";
    const outcome = (promise) => promise.then(
        () => ({ code: "loaded", rule: null }), ({ code, rule, message }) => ({ code, rule, message }));
    onmessage = ({ data: { name, address }, ports: [port] }) => {
        outcome(WebGPULlama4[name](address, { cache: false })).then((seen) => port.postMessage(seen));
    };
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader") as browser:
        yield browser


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve packages (one answers, one has no tokenizer, one no program), the bundle, and pages."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(scripted_package(tmp_path_factory.mktemp("scripted")), folder / "model")
    shutil.copy(WEB / "dist" / "webgpu-llama4.js", folder)
    (folder / "index.html").write_text("<!doctype html><title>Workers</title>", "utf-8")
    (folder / "policy.html").write_text(f"<!doctype html>{POLICY}<title>Policy</title>", "utf-8")
    (folder / "service.js").write_text(SERVICE_WORKER, "utf-8")
    (folder / "deep" / "er").mkdir(parents=True)
    shutil.copy(folder / "index.html", folder / "deep" / "er")
    shutil.copytree(tiny(tmp_path_factory.mktemp("silent")), folder / "silent")
    shutil.copytree(tiny(tmp_path_factory.mktemp("weights"), "--no-program"), folder / "weights")
    with site(folder) as url:
        yield url


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with new_page(browser) as page:
        page.goto(url)
        yield page


def evaluated(page: Page, code: str, argument: object = None) -> Any:
    """Evaluate the body of a function of `api`, the exports of the bundle, and `argument`."""
    return page.evaluate(
        f"async (argument) => {{ const api = await import('/webgpu-llama4.js'); {code} }}", argument
    )


def test_a_model_in_a_worker_behaves_as_one_in_the_page(page: Page) -> None:
    seen = evaluated(
        page,
        """
        const phases = [];
        const onProgress = ({ phase, loaded, total }) => phases.push([phase, loaded, total]);
        const model = await api.WebGPULlama4.inWorker("/model/", { cache: false, onProgress });
        const text = await model.infer(argument);
        const stream = model.stream(argument, { maxTokens: 4 });
        const pieces = [];
        for await (const piece of stream) pieces.push(piece);
        const stop = new AbortController();
        const reason = new Error("enough");
        const aborted = model.infer(argument, { signal: stop.signal });
        setTimeout(() => stop.abort(reason), 5);
        const isReason = (await aborted.catch((error) => error)) === reason;
        const left = [];
        for await (const piece of model.stream(argument)) { left.push(piece); if (left.length === 2) break; }
        const following = await model.infer(argument);
        const long = await model.infer("h".repeat(1000)).catch((error) => error);
        const profile = await model.profile({ tokens: 2, promptTokens: 4 });
        const tokenizer = await api.WebGPULlama4.createTokenizer("/model/tokenizer.json");
        model.tokenizer = tokenizer;
        const replaced = await model.infer(argument, { maxTokens: 1 }).catch((error) => error.code);
        const members = [model instanceof api.Model, model.contextLength, typeof model.device.name];
        const waiting = model.infer(argument);
        model.dispose();
        const codes = [];
        for (const call of [waiting, model.infer(argument), model.profile()]) {
            codes.push(await call.catch((error) => [error.code, error instanceof api.DisposedError]));
        }
        return {
            phases, text, pieces, finish: stream.finishReason, usage: stream.usage, isReason, left, following,
            long: [long.code, long instanceof api.ContextError], layers: profile.block_times_ms.length,
            replaced: typeof replaced, members, codes,
        };
        """,
        PROMPT,
    )
    assert seen["text"] == seen["following"] == TEXT
    assert TEXT.startswith("".join(seen["pieces"]))
    assert seen["finish"] == "length"
    assert seen["usage"]["completionTokens"] == 4
    assert seen["isReason"] is True
    assert len(seen["left"]) == 2
    assert seen["long"] == ["context", True]
    assert seen["layers"] == 2
    assert seen["members"] == [True, 256, "string"]
    assert seen["codes"] == [["disposed", True]] * 3
    phase, loaded, total = seen["phases"][-1]
    assert (phase, loaded > 0) == ("ready", True)
    assert loaded == total


def test_workers_end_with_their_model(page: Page) -> None:
    evaluated(
        page,
        "globalThis.model = await api.WebGPULlama4.inWorker('/model/', { cache: false });",
    )
    assert len(page.workers) > 0
    page.evaluate("model.tokenizer = null; model.dispose()")
    page.wait_for_function("true")
    text_workers = 1  # it has the tokenizer of the page
    for _ in range(100):
        if len(page.workers) <= text_workers:
            break
        page.wait_for_timeout(50)
    assert len(page.workers) <= text_workers


def test_errors_of_loading_have_the_classes_of_the_page(page: Page) -> None:
    seen = evaluated(
        page,
        """
        const early = new AbortController();
        early.abort(new Error("early"));
        const options = [
            ["/none/", {}], ["/weights/", {}], ["/model/", { contextLength: 257 }],
            ["/model/", { fetch() {} }], ["/model/", { device: navigator.gpu }],
            ["/model/", { cache: caches }], ["/model/", { unknown: 1 }],
            ["/model/", { signal: early.signal }],
            ["/model/", { onProgress() { throw new Error("of the page"); } }],
        ];
        const seen = [];
        for (const [address, given] of options) {
            const loading = api.WebGPULlama4.inWorker(address, { cache: false, ...given });
            const error = await loading.catch((error) => error);
            const name = Object.keys(api).find((key) => error.constructor === api[key]) ?? "Error";
            seen.push([name, error.code ?? error.message]);
        }
        return seen;
        """,
    )
    assert seen == [
        ["NetworkError", "not-found"],
        ["PackageError", "no-program"],
        ["ContextError", "context"],
        *[["InputError", "input"]] * 4,
        ["Error", "early"],
        ["Error", "of the page"],
    ]


@pytest.mark.parametrize(("start", "address"), [("deep/er/", "../../model/"), ("deep/er/", "/model/")])
def test_addresses_are_relative_to_the_page(page: Page, url: str, start: str, address: str) -> None:
    page.goto(url + start)
    code = """
        const model = await api.WebGPULlama4.inWorker(argument, { cache: false });
        return model.contextLength;
    """
    assert evaluated(page, code, address) == 256


def test_a_worker_of_a_blob_resolves_addresses_of_the_site(page: Page, url: str) -> None:
    page.goto(f"{url}deep/er/")
    text = page.evaluate(
        """([code, bundle, address, prompt]) => new Promise((resolve) => {
            const worker = new Worker(URL.createObjectURL(new Blob([code])));
            worker.onmessage = ({ data }) => resolve(data);
            worker.postMessage({ bundle, address, prompt });
        })""",
        [BLOB_WORKER, f"{url}webgpu-llama4.js", "/model/", PROMPT],
    )
    assert text == TEXT


def test_a_page_that_forbids_workers_is_told(page: Page, url: str) -> None:
    page.goto(f"{url}policy.html")
    code = """
        const error = await api.WebGPULlama4.inWorker("/model/", { cache: false }).catch((error) => error);
        return [error.code, error instanceof api.UnsupportedError, error.message];
    """
    [name, is_class, message] = evaluated(page, code)
    assert (name, is_class) == ("no-worker", True)
    assert "worker-src" in message


SERVICE = [
    ("loadModel", "/silent/", "loaded", None),
    ("loadModel", "/weights/", "no-program", None),
    ("loadModel", "/model/", "tokenizer", "LLQ-API-37"),
    ("inWorker", "/model/", "no-worker", None),
]


@pytest.mark.parametrize(("name", "address", "code", "rule"), SERVICE)
def test_a_service_worker_loads_what_needs_no_worker(
    page: Page, name: str, address: str, code: str, rule: str | None
) -> None:
    seen = page.evaluate(
        """async ([name, address]) => {
            const { active, installing, waiting } = await navigator.serviceWorker.register(
                "/service.js", { type: "module" });
            const worker = active ?? installing ?? waiting;
            const { port1, port2 } = new MessageChannel();
            const answer = new Promise((resolve) => { port1.onmessage = ({ data }) => resolve(data); });
            worker.postMessage({ name, address }, [port2]);
            return answer;
        }""",
        [name, address],
    )
    assert (seen["code"], seen["rule"]) == (code, rule), seen
