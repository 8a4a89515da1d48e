"""The JavaScript runtime in each of its hosts, asked one question of each kind."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from conformance.core.runtime import CAPABILITIES, BrokenAdapter, Runtime
from conformance.core.vectors import load
from conformance.runtimes import find
from conformance.runtimes.find import UnknownRuntimeError
from conformance.runtimes.javascript import base
from tests.support.timeouts import seconds

pytestmark = pytest.mark.browser

HOSTS = {
    "node": "webgpu-llama4 in Node",
    "deno": "webgpu-llama4 in Deno",
    "browser:chromium": "webgpu-llama4 in Chrome",
    "browser:firefox": "webgpu-llama4 in Firefox",
}
VECTORS = {vector.id: vector for vector in load()}


@pytest.fixture(scope="module", params=HOSTS)
def host(request: pytest.FixtureRequest) -> Iterator[tuple[str, Runtime]]:
    runtime = find.find(request.param, seconds(60))
    yield request.param, runtime
    runtime.close()


def test_it_identifies_itself(host: tuple[str, Runtime]) -> None:
    spec, runtime = host
    assert str(runtime.info).startswith(HOSTS[spec])
    assert runtime.capabilities == set(CAPABILITIES)


def test_it_decodes_on_the_device(host: tuple[str, Runtime]) -> None:
    vector = VECTORS["worked-example"]
    (name, expected), *_ = vector.tensors.items()
    weights = host[1].decode(vector.package, name)
    np.testing.assert_array_equal(weights.view(np.uint32), np.load(expected).view(np.uint32))


def test_it_judges_packages(host: tuple[str, Runtime], tmp_path: Path) -> None:
    runtime = host[1]
    assert runtime.validate(VECTORS["worked-example"].package).accepted
    for name in ("ascii-only", "bit-flipped-in-a-scale", "bit-flipped-in-the-tokenizer"):
        assert runtime.validate(VECTORS[name].package).rules == VECTORS[name].rules[:1]
    assert runtime.validate(tmp_path).rules == ("LLQ-PKG-1",)
    assert runtime.validate(tmp_path / "none").rules == ("LLQ-PKG-1",)


def test_it_computes_logits(host: tuple[str, Runtime]) -> None:
    vector = VECTORS["zero-vectors-int8"]
    tokens = vector.members["tokens"]
    actual = host[1].logits(vector.package, tokens, [len(tokens)])
    assert np.abs(actual - vector.array("expected")).max() <= vector.members["bounds"]["f32"]


@pytest.mark.parametrize("kind", ["node", "deno"])
def test_what_is_missing_is_reported(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownRuntimeError, match=f"options are as in {kind}:variant=portable"):
        find.find(f"{kind}:adapter=one", 3)
    with pytest.raises(UnknownRuntimeError, match="driver manifest not found: /none"):
        find.find(f"{kind}:driver=/none", 3)
    monkeypatch.setattr(base, "data", lambda _name: tmp_path)
    with pytest.raises(BrokenAdapter, match=r"adapter.mjs is not built: this installation does not contain"):
        find.find(kind, 3)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnknownRuntimeError, match=f"{kind} is not on the path"):
        find.find(kind, 3)
