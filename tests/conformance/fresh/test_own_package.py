"""Vectors of a package of the user: products and their bounds, logits of an oracle, and who may be one."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from conformance.checks import CHECKS
from conformance.container.package import metadata, read_tensor
from conformance.core.check import Outcome
from conformance.core.vectors import Vector, load
from conformance.fresh import distribution
from conformance.fresh.oracle import OracleError, ReferenceOracle, WebGPUOracle, expected, qualified
from conformance.fresh.own_package import write_vectors
from conformance.fresh.products import products
from conformance.mutation.find import find
from conformance.runtimes.reference import Reference

pytestmark = pytest.mark.slow

VECTORS = {vector.id: vector for vector in load()}
MATVEC = [vector for vector in VECTORS.values() if vector.kind == "matvec"]
MODEL = VECTORS["affine-norm-binary16"]


@pytest.mark.parametrize("vector", MATVEC, ids=[vector.id for vector in MATVEC])
def test_products_and_bounds_are_those_of_the_kit(vector: Vector) -> None:
    tensor = read_tensor(vector.package, vector.members["tensor"])
    result = products(tensor, vector.members["format"], vector.array("input"))
    bound = vector.array("bound")
    assert np.all(np.abs(result.expected - vector.array("expected")) <= 1e-6 * bound)
    assert np.allclose(result.bound, bound, rtol=1e-9, atol=0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the vectors of a package of a model, with few executions."""
    directory = tmp_path_factory.mktemp("package")
    few = patch.object(distribution, "GROUPS", ((8, 1), (8, 4)))
    with patch.object(ReferenceOracle, "MEMBERS", 2), few:
        write_vectors(MODEL.package, ReferenceOracle(), 1, directory)
    return directory


def outcomes(spec: str, home: Path) -> set[Outcome]:
    """Return the outcomes of all checks of the vectors in a directory."""
    runtime = find(spec, 600)
    return {
        check(runtime, vector, home).outcome
        for check in CHECKS
        for vector in load(home)
        if check.concerns(vector)
    }


def test_legal_runtimes_pass_and_a_mutant_fails(home: Path) -> None:
    assert outcomes("reference", home) == {Outcome.PASSED}
    assert outcomes("conforming:float32-shuffled", home) == {Outcome.PASSED, Outcome.NOT_CLAIMED}
    assert Outcome.FAILED in outcomes("mutant:int8-scale-by-128", home)


def test_vectors_of_a_package_need_its_extensions(home: Path) -> None:
    required = metadata(MODEL.package)["extensions_required"]
    assert required == ["LLQ_attention_affine"]
    assert {vector.extensions for vector in load(home)} == {tuple(required)}


def test_the_bounds_are_four_times_the_largest_distance_of_legal_executions() -> None:
    class Two:
        ranks_distributions = True

        def floor(self, _package: Path) -> float:
            return 0.0

        def executions(self, _package: Path, _tokens: Any) -> Any:
            yield "f32", np.array([[1.0, 2.0]])
            yield "f32", np.array([[1.25, 2.0]])
            yield "f16", np.array([[1.0, 1.5]])

    result = expected(Two(), Path(), [0])
    assert result.logits.tolist() == [[1.0, 2.0]]
    assert result.bounds == {"f32": 1.0, "f16": 2.0}


def report(outcome: str) -> dict[str, Any]:
    """Return what a report says about the reference and one vector."""
    info = Reference().info
    result = {"check": "logits", "vector": MODEL.id, "outcome": outcome}
    return {"runtime": {"name": info.name, "version": info.version}, "results": [result]}


def test_a_report_qualifies_an_oracle_that_passed_everything() -> None:
    qualified(report("passed"), find("reference", 600), [MODEL])
    with pytest.raises(OracleError, match=f"no pass of logits {MODEL.id}"):
        qualified(report("failed"), find("reference", 600), [MODEL])
    about_another = {**report("passed"), "runtime": {"name": "another", "version": "1"}}
    with pytest.raises(OracleError, match="the report is about another 1"):
        qualified(about_another, find("reference", 600), [MODEL])


def test_an_oracle_that_fails_a_vector_is_refused() -> None:
    device = object.__new__(WebGPUOracle)
    device.runtime = find("mutant:int8-scale-by-128", 600)
    with pytest.raises(OracleError, match=r"does not pass logits .*: logits outside the error bound"):
        device.qualify([vector for vector in VECTORS.values() if vector.kind == "logits"][:30])


@pytest.mark.gpu
def test_webgpu_is_an_oracle_once_it_passed(tmp_path: Path) -> None:
    device = WebGPUOracle("", 600)
    device.qualify([MODEL])
    write_vectors(MODEL.package, device, 1, tmp_path)
    assert outcomes("reference", tmp_path) == {Outcome.PASSED}
