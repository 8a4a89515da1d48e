"""The NumPy decoder of the vectors: equal to transformers without rounding, and to the kit with it."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.llq_format.reference import test_oracle_llama, test_oracle_llama4
from tests.support import oracle_models
from tests.support.oracle_models import TOLERANCE, Oracle, difference, transformers_logits, widen
from tests.support.repository import VECTORS
from vectors.decoder64.decoder import Decoder
from vectors.decoder64.ensemble import bounds
from vectors.decoder64.execution import Exact
from vectors.decoder64.package import Array, read

pytestmark = pytest.mark.slow

CASES = {
    **test_oracle_llama.CASES,
    **{f"llama4-{name}": case for name, case in test_oracle_llama4.CASES.items()},
}
INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text())["vectors"]
OF_KIT = [v for v in INDEX if v["kind"] == "logits" and "recipe" not in v]
SHORT = [v for v in OF_KIT if len(v["tokens"]) < 100]


class Unrounded(Exact):
    """An execution that rounds nothing."""

    def input16(self, x: Array) -> Array:
        """Return the input of a matmul as it is."""
        return x


def decoder(package: Path, fp16_layers: int | None = None) -> Decoder:
    """Return the decoder of a package, perhaps of another number of binary16 layers."""
    contents = read({path.name: path.read_bytes() for path in package.iterdir()})
    if fp16_layers is not None:
        contents.model["activations"]["fp16_layers"] = fp16_layers
    return Decoder(contents)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Oracle]:
    return cache(lambda name: oracle_models.build(CASES[name], tmp_path_factory.mktemp(name) / "package"))


@pytest.fixture(params=CASES)
def oracle(request: pytest.FixtureRequest, build: Callable[[str], Oracle]) -> Oracle:
    return build(request.param)


def test_transformers_computes_the_same(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    widen(monkeypatch)
    unrounded = decoder(oracle.package.directory, len(oracle.case.model.layers))
    actual = unrounded.logits(oracle.tokens, Unrounded())
    assert difference(actual, transformers_logits(oracle.reference, oracle.tokens)) <= TOLERANCE


def test_transformers_with_rounded_inputs_computes_the_same(
    oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = widen(monkeypatch)
    for fp16_layers in sorted({0, 1, len(oracle.case.model.layers)}):
        actual = decoder(oracle.package.directory, fp16_layers).logits(oracle.tokens, Exact())
        with oracle_models.rounded_inputs(oracle.reference, wide, fp16_layers):
            expected = transformers_logits(oracle.reference, oracle.tokens)
        assert difference(actual, expected) <= TOLERANCE, fp16_layers


@pytest.mark.parametrize("vector", OF_KIT, ids=lambda vector: vector["id"])
def test_the_kit_computes_the_same(vector: dict[str, Any]) -> None:
    expected = np.load(VECTORS / vector["expected"])
    execution = Exact()
    actual = decoder(VECTORS / vector["package"]).logits(vector["tokens"], execution)
    assert difference(actual, expected) <= TOLERANCE
    assert execution.int8_margin >= (vector["margins"]["int8"] or 0)
    assert execution.router_margin >= (vector["margins"]["router"] or 0)


@pytest.mark.parametrize("vector", SHORT, ids=lambda vector: vector["id"])
def test_bounds_are_about_those_of_the_kit(vector: dict[str, Any]) -> None:
    """Of other random numbers: whether a rare crossing occurs among 64 executions may differ."""
    of_package = decoder(VECTORS / vector["package"])
    positions = range(len(vector["tokens"]))
    execution = Exact()
    expected = of_package.logits(vector["tokens"], execution)
    measured = bounds(of_package, vector["tokens"], positions, (expected, execution))
    for actual, stated in ((measured.f32, vector["bounds"]["f32"]), (measured.f16, vector["bounds"]["f16"])):
        assert stated / 3 < actual < stated * 3
    assert vector["margins"]["int8"] is None or measured.crossings == 0
