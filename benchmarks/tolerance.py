"""How far legal executions and mutants differ from the exact one: `python -m benchmarks.tolerance PACKAGE`.

Runs the reference decoder over a fixed prompt: exactly, then 16 times with every operation disturbed within
its accuracy, then once for each mutant. With --write DIR makes DIR/tolerance.md and DIR/tolerance.svg.
"""

import argparse
import html
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import llq_format
from conformance.mutation.conforming.over_reference import DISTURBANCE, disturbed
from conformance.mutation.mutants import MUTANTS
from conformance.mutation.mutants.seam import Mutate, mutated
from llq_format.reference import Decoder
from llq_format.reference.activations import Array
from llq_format.reference.ops import softmax
from llq_format.reference.text import TextTokenizer

_EXECUTIONS = 16
_MUTANTS = (
    *("rope-other-pairing", "eps-outside-root", "eps-1e-6", "kv-head-by-remainder", "mask-shows-next"),
    *("mask-hides-own", "scores-not-divided", "gate-up-swapped", "tanh-gelu-for-silu", "int8-scale-by-128"),
    *("int8-truncated", "int8-scale-over-all-positions", "binary16-throughout", "binary16-not-rounded"),
)
"""Mutants of dense decoders, of each part and of each rounding."""

_VECTORS = Path(__file__).parents[1] / "vectors" / "data"
_PROMPT = (
    "A lighthouse keeper writes one line each evening. The sea was calm, the lamp burned clear, and a single "
    "ship passed far to the west with all its sails set. I have counted the gulls again; there are fewer now."
)

_HEAD = """# The tolerance: how far legal executions differ

The model is `{stem}`, and the figures cover all positions of a prompt of {tokens} tokens.
A legal execution multiplies the result of every operation by 1 + ε, with ε uniform within ±2^{noise}.
There are {executions} such executions.
`python -m benchmarks.tolerance PACKAGE --write docs` writes this page.

![The shifts of legal executions and of each mutant](tolerance.svg)

| execution | largest shift of a logit, relative | mean KL divergence, nats | same top-1 token |
|---|---|---|---|"""
_TAIL = """
INT8 rounding makes legal executions differ.
A value that crosses a rounding boundary moves by a whole step,
and everything that depends on the value differs from there on.
The largest difference of a logit, over a long prompt of a deep model, therefore cannot separate subtle
mutants from legal executions.
That is why the suite decides on other grounds first:

* single matmuls, with an error bound for each output;
* activations, code by code;
* logits of tiny models; most of these vectors keep a stated margin from every INT8 boundary.

With such a margin, legal executions use the same codes, and the bound is far tighter."""

_TINY_HEAD = """
## Tiny models

This table covers the {count} logits vectors of `vectors/`, in units of the bound of each vector.
A shift above 1 fails.

| execution | largest shift over the bound of a vector | number of failed vectors |
|---|---|---|"""


@dataclass(frozen=True)
class Shift:
    """The distance between one execution and the exact execution."""

    name: str
    greatest: float  # largest difference of a logit, over the largest magnitude of an exact logit
    divergence: float  # mean Kullback-Leibler divergence from the exact distribution, in nats
    same_top: float  # share of positions with the same top-1 token


def main(path: str, write: Path | None) -> None:
    """Measure and print; write the page and the picture where asked."""
    with llq_format.open(path) as package:
        tokens = TextTokenizer(package).encode(_PROMPT)

        def run(*mutations: Mutate) -> Array:
            with mutated(mutations, {}):
                return Decoder(package).prefill(tokens)

        exact = run()
        legal = [_shift(f"legal {seed}", run(disturbed(seed)), exact) for seed in range(_EXECUTIONS)]
        cache = _shift("KV cache in binary16", Decoder(package, kv_cache="float16").prefill(tokens), exact)
        shifts = [_shift(name, run(MUTANTS[name].mutate), exact) for name in _MUTANTS]
        wrong = sorted(shifts, key=lambda shift: shift.greatest)
        stem = package.metadata.stem
    lines = [*_table(len(tokens), legal, cache, wrong, stem), *_tiny_models()]
    print("\n".join(lines))
    if write is not None:
        (write / "tolerance.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (write / "tolerance.svg").write_text(_picture(legal, cache, wrong), encoding="utf-8")


def _shift(name: str, logits: Array, exact: Array) -> Shift:
    p, q = softmax(exact), softmax(logits)
    divergence = float(np.mean(np.sum(p * (np.log(p) - np.log(q)), axis=-1)))
    agreement = float(np.mean(exact.argmax(axis=-1) == logits.argmax(axis=-1)))
    return Shift(name, float(np.abs(logits - exact).max() / np.abs(exact).max()), divergence, agreement)


def _table(tokens: int, legal: list[Shift], cache: Shift, wrong: list[Shift], stem: str) -> list[str]:
    widest = max(legal, key=lambda shift: shift.greatest)
    rows = [("widest of the legal executions", widest), ("legal: KV cache in binary16", cache)]
    rows += [(shift.name, shift) for shift in wrong]
    table = [f"| {n} | {s.greatest:.1e} | {s.divergence:.1e} | {s.same_top:.0%} |" for n, s in rows]
    noise = round(math.log2(DISTURBANCE))
    return [_HEAD.format(stem=stem, tokens=tokens, noise=noise, executions=_EXECUTIONS), *table, _TAIL]


def _tiny_models() -> list[str]:
    """Return a table of executions on the logits vectors: shifts in units of each vector's bound."""
    index = json.loads((_VECTORS / "index.json").read_text("utf-8"))
    vectors = [vector for vector in index["vectors"] if vector["kind"] == "logits"]
    executions: dict[str, list[tuple[Mutate, ...]]] = {
        "exact": [()],
        f"widest of {_EXECUTIONS} legal executions": [(disturbed(seed),) for seed in range(_EXECUTIONS)],
        **{name: [(MUTANTS[name].mutate,)] for name in _MUTANTS},
    }
    ratios = {
        name: [max(_ratio(vector, mutations) for mutations in kinds) for vector in vectors]
        for name, kinds in executions.items()
    }
    rows = sorted(ratios.items(), key=lambda item: max(item[1]))
    return [
        _TINY_HEAD.format(count=len(vectors)),
        *(f"| {n} | {max(r):.1e} | {sum(x > 1 for x in r)} |" for n, r in rows),
    ]


def _ratio(vector: dict[str, Any], mutations: tuple[Mutate, ...]) -> float:
    """Return the largest difference from the vector's expected logits, in units of its bound."""
    expected = np.load(_VECTORS / vector["expected"])
    with llq_format.open(_VECTORS / vector["package"]) as package, mutated(mutations, {}):
        shift = np.abs(Decoder(package).prefill(vector["tokens"]) - expected).max()
    return float(shift / vector["bounds"]["f32"])


def _picture(legal: list[Shift], cache: Shift, wrong: list[Shift]) -> str:
    """Return an SVG: one line an execution kind, dots on a logarithmic axis."""
    rows: list[tuple[str, list[float], str]] = [
        ("legal, disturbed", [shift.greatest for shift in legal], "#1a7f37"),
        ("legal, KV cache binary16", [cache.greatest], "#1a7f37"),
        *((shift.name, [shift.greatest], "#cf222e") for shift in wrong),
    ]
    values = [value for _, dots, _ in rows for value in dots if value > 0]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    left, width, pitch = 250, 600, 24
    height = pitch * len(rows) + 60

    def x(value: float) -> float:
        return left + width * (math.log10(value) - low) / (high - low) if value > 0 else left

    box = f'viewBox="0 0 {left + width + 40} {height}" font-family="sans-serif" font-size="13"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}><rect width="100%" height="100%" fill="white"/>']
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<path d="M{at:.1f} 20V{height - 40}" stroke="#d0d7de"/>')
        parts.append(f'<text x="{at:.1f}" y="{height - 22}" text-anchor="middle">1e{power}</text>')
    for number, (name, dots, colour) in enumerate(rows):
        y = 20 + pitch * (number + 0.5)
        parts.append(f'<text x="{left - 12}" y="{y + 4:.1f}" text-anchor="end">{html.escape(name)}</text>')
        for dot in dots:
            centre = f'cx="{x(dot):.1f}" cy="{y:.1f}"'
            parts.append(f'<circle {centre} r="4" fill="{colour}" fill-opacity="0.6"/>')
    label = "largest shift of a logit, relative to the largest exact logit"
    parts.append(f'<text x="{left + width / 2}" y="{height - 4}" text-anchor="middle">{label}</text></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("package")
    parser.add_argument("--write", type=Path, metavar="DIR")
    options = parser.parse_args()
    main(options.package, options.write)
