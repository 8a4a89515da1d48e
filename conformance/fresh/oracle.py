"""Oracles for packages of any size: the expected logits, and the bound that legal executions give.

The reference computes in binary64. The WebGPU executor is an oracle only on a device on which it has passed
the vectors: in this run, or in a report of the suite.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ..checks import CHECKS
from ..container.package import metadata
from ..core.check import Check, Outcome
from ..core.runtime import KV_CACHES, Runtime
from ..core.vectors import Vector
from ..diagnosis.recognition import silent
from ..mutation.find import find
from .products import U

SAFETY = 4
FLOOR = 2.0**-20
"""As for the vectors: factor of the largest distance of legal executions, and its minimum, relative."""

NEEDED = ("activations", "matvec", "logits", "generate")
"""The checks that qualify a runtime as an oracle."""

Logits = NDArray[np.float64]
KVCache = Literal["f32", "f16"]


class OracleError(ValueError):
    """The oracle cannot be used."""


@dataclass(frozen=True)
class Expected:
    """Expected logits, float64 [tokens, vocab_size], and their bounds by the declared KV cache."""

    logits: Logits
    bounds: dict[str, float]


class Oracle(Protocol):
    """What knows the logits of a package.

    ranks_distributions: whether its legal executions differ as independent runtimes do, so that check
    `distribution` can rank a runtime among them.
    """

    ranks_distributions: bool

    def floor(self, package: Path) -> float:
        """Return the minimum of bounds, relative to the largest magnitude of a logit."""

    def executions(self, package: Path, tokens: Sequence[int]) -> Iterator[tuple[str, Logits]]:
        """Yield legal executions with the KV cache that each has: first the most exact one, in `f32`."""


def expected(oracle: Oracle, package: Path, tokens: Sequence[int]) -> Expected:
    """Return the logits of the first execution; bounds are from the distances of all others (NUM-4)."""
    executions = oracle.executions(package, tokens)
    _, exact = next(executions)
    furthest = dict.fromkeys(KV_CACHES, 0.0)
    for cache, logits in executions:
        furthest[cache] = max(furthest[cache], float(np.abs(logits - exact).max()))
    least = oracle.floor(package) * float(np.abs(exact).max())
    f32 = max(SAFETY * furthest["f32"], least)
    return Expected(exact, {"f32": f32, "f16": max(f32, SAFETY * furthest["f16"])})


class ReferenceOracle:
    """The reference in binary64; its legal executions are disturbed, or in binary32 in any order."""

    MEMBERS = 8
    ranks_distributions = True

    def floor(self, _package: Path) -> float:
        """Return the minimum that the vectors have."""
        return FLOOR

    def executions(self, package: Path, tokens: Sequence[int]) -> Iterator[tuple[str, Logits]]:
        """Yield the exact execution, then `MEMBERS` of each kind with each KV cache."""
        splits = [len(tokens)]
        yield "f32", np.asarray(find("reference", 0).logits(package, tokens, splits), np.float64)
        for cache in KV_CACHES:
            for make in self._members(cache):
                yield cache, np.asarray(make().logits(package, tokens, splits), np.float64)

    def _members(self, cache: str) -> Iterator[Callable[[], Any]]:
        """Yield makers of runtimes; those of the conforming variants need the library."""
        from ..mutation.conforming.float32 import Float32Runtime  # noqa: PLC0415  # the library's weight
        from ..mutation.conforming.over_reference import disturbed  # noqa: PLC0415
        from ..mutation.mutants.mutant import Mutant  # noqa: PLC0415
        from ..mutation.mutants.runtime import MutantRuntime  # noqa: PLC0415

        kind: KVCache = "f16" if cache == "f16" else "f32"
        for seed in range(self.MEMBERS):
            mutant = Mutant("disturbed", "", "", (), disturbed(seed))
            yield lambda mutant=mutant: MutantRuntime([mutant], kind)  # type: ignore[misc]
            yield lambda seed=seed: Float32Runtime(seed, kind)  # type: ignore[misc]


class WebGPUOracle:
    """The WebGPU executor; its legal executions differ in splits, variants and KV caches."""

    ranks_distributions = False

    def __init__(self, options: str, timeout: float) -> None:
        """Open the device. options: as in `adapter=NAME`. Raises OracleError."""
        self._options, self._timeout = options, timeout
        self.runtime = self._opened("f32")

    def _opened(self, cache: str, variant: str = "") -> Runtime:
        own = dict(option.partition("=")[::2] for option in self._options.split(",") if option)
        members = {**own, "kv_cache": cache, **({"variant": variant} if variant else {})}
        try:
            return find(
                "webgpu:" + ",".join(f"{name}={value}" for name, value in members.items()), self._timeout
            )
        except ValueError as error:
            raise OracleError(str(error)) from error

    def floor(self, package: Path) -> float:
        """Return twice the sum of the relative error bounds of all matmuls on the path of a token.

        All executions of one device round alike, so that their distances say little about a small model.
        Twice, because both the oracle and the runtime may be off.
        """
        model = metadata(package)["model"]
        width, heads = model["hidden_size"], model["num_heads"] * model["head_dim"]
        lengths = [width]  # of the rows of lm_head
        for layer in model["layers"]:
            lengths += [width, heads, width, layer["ffn"]["intermediate_size"]]
        return float(2 * U * sum(length + 8 for length in lengths))

    def executions(self, package: Path, tokens: Sequence[int]) -> Iterator[tuple[str, Logits]]:
        """Yield the logits of the sequence at once, then in other splits, caches and variants."""
        count = len(tokens)
        splits = [[count], [1] * count, [count // 2, count - count // 2]]
        runtimes = [
            ("f32", self.runtime),
            ("f32", self._opened("f32", "portable")),
            ("f16", self._opened("f16")),
        ]
        for cache, runtime in runtimes:
            for split in splits:
                if 0 not in split:
                    yield cache, np.asarray(runtime.logits(package, tokens, split), np.float64)

    def qualify(self, vectors: Sequence[Vector]) -> None:
        """Ask the device all vectors of computations. Raises OracleError for the first bad answer."""
        with silent(), tempfile.TemporaryDirectory(prefix="llq-oracle-") as workspace:
            for check, vector in _needed(vectors):
                result = check(self.runtime, vector, Path(workspace))
                if result.outcome is not Outcome.PASSED:
                    raise OracleError(
                        f"{self.runtime.info} does not pass {check.name} {vector.id}: {result.headline}"
                    )


def _needed(vectors: Sequence[Vector]) -> Iterator[tuple[Check, Vector]]:
    """Yield the checks that qualify an oracle, with each vector that they concern."""
    for check in CHECKS:
        if check.name in NEEDED:
            yield from ((check, vector) for vector in vectors if check.concerns(vector))


def qualified(report: Mapping[str, Any], runtime: Runtime, vectors: Sequence[Vector]) -> None:
    """Raise OracleError unless a report says that this runtime, on this device, passed all that is needed."""
    about = report["runtime"]
    if (about["name"], about["version"]) != (runtime.info.name, runtime.info.version):
        raise OracleError(f"the report is about {about['name']} {about['version']}, not {runtime.info}")
    passed = {(r["check"], r["vector"]) for r in report["results"] if r["outcome"] == Outcome.PASSED}
    for check, vector in _needed(vectors):
        if (check.name, vector.id) not in passed:
            raise OracleError(f"the report has no pass of {check.name} {vector.id}")
