"""How near each method comes to the original: `python -m benchmarks.quality CHECKPOINT --text FILE`.

Exports the checkpoint with every method, evaluates each package, and beside them ggml's Q4_0 of the same
matrices, by the gguf package. With --write DIR makes DIR/quality.md. The text must not be the calibration's.
"""

import argparse
import hashlib
import math
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, quants
from numpy.typing import NDArray

import llq_format
from llq_format.calibration import calibration
from llq_format.checkpoint import Checkpoint, open_checkpoint
from llq_format.evaluation import Estimate, Evaluation, evaluate, evaluate_weights
from llq_format.layout import is_int4
from llq_format.model import Model, tensor_roles

METHODS = ("rtn", "awq", "gptq", "best")
_HEAD = """# Quality of the exporter's methods

`{checkpoint}` ({weights} M weights), evaluated on the first {tokens:,} tokens of `{text}` (SHA-256
`{sha256}`),
in sequences of at most 512 tokens. Calibrated with the built-in text, seed 0. The original is the checkpoint
in binary32; the matrices of all layers are rounded, embedding and head stored as binary16. Intervals are of
95 %, over the sequences. Written by `python -m benchmarks.quality CHECKPOINT --text FILE --write docs`.

The original's perplexity is {original:.2f}.

| method | perplexity | change | KL divergence, nats | its 99th percentile | same top token | export |
|---|---|---|---|---|---|---|"""
_INT8 = """
The same packages with inputs of matrices rounded as runtimes do, binary16 in the first layers, then INT8:

| method | perplexity | change | KL divergence, nats | same top token |
|---|---|---|---|---|"""


@dataclass(frozen=True)
class Measured:
    """A method's figures, and the seconds that its export took."""

    name: str
    found: Evaluation
    seconds: float | None


def main(checkpoint: str, text: Path, tokens: int, methods: list[str], write: Path | None) -> None:
    """Measure and print; write the page where asked."""
    with open_checkpoint(checkpoint) as source:
        model = Model.from_json(source.model)
        read = calibration(text, source.tokenizer, model.vocab_size, model.context_length, tokens)
        rows = [Measured("ggml Q4_0, blocks of 1 × 32", _ggml(model, source, read.tokens), None)]
        with tempfile.TemporaryDirectory() as temporary:
            for method in methods:
                package, start = Path(temporary) / method, time.perf_counter()
                command = [sys.executable, "-m", "llq_format", "export", checkpoint, str(package)]
                options = ["--method", method, "--no-program"]
                subprocess.run([*command, *options], check=True)
                seconds = time.perf_counter() - start
                with llq_format.open(package) as opened:
                    rows.append(Measured(method, evaluate(opened, source, read.tokens), seconds))
    weights = sum(math.prod(role.shape) for role in tensor_roles(model)) / 1e6
    lines = [
        _HEAD.format(
            checkpoint=Path(checkpoint).name,
            weights=round(weights),
            tokens=read.tokens.size,
            text=text.name,
            sha256=hashlib.sha256(text.read_bytes()).hexdigest(),
            original=rows[0].found.original_perplexity,
        ),
        *(_row(row) for row in rows),
        _INT8,
        *(_int8_row(row) for row in rows if row.seconds is not None),
    ]
    print("\n".join(lines))
    if write is not None:
        (write / "quality.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _ggml(model: Model, source: Checkpoint, tokens: NDArray[np.int64]) -> Evaluation:
    """Evaluate Q4_0 of every tensor that a package stores as INT4, the head excepted."""
    int4 = {role.name for role in tensor_roles(model) if any(map(is_int4, role.dtypes))} - {"lm_head"}
    kind = GGMLQuantizationType.Q4_0

    def load(name: str) -> NDArray[np.float32]:
        weights = source.load(name)
        if name not in int4:
            return weights
        return np.asarray(quants.dequantize(quants.quantize(weights, kind), kind), np.float32)

    return evaluate_weights(model, load, source, tokens)


def _row(row: Measured) -> str:
    score = row.found.scores["weights"]
    seconds = "" if row.seconds is None else f"{row.seconds:.0f} s"
    return (
        f"| {row.name} | {_shown(score.perplexity, '{:.2f}')} | {_shown(score.change, '{:+.1%}')} "
        f"| {_shown(score.divergence, '{:.3f}')} | {score.divergence_99:.2f} "
        f"| {_shown(score.same_top, '{:.1%}')} | {seconds} |"
    )


def _int8_row(row: Measured) -> str:
    score = row.found.scores["exact"]
    return (
        f"| {row.name} | {_shown(score.perplexity, '{:.2f}')} | {_shown(score.change, '{:+.1%}')} "
        f"| {_shown(score.divergence, '{:.3f}')} | {_shown(score.same_top, '{:.1%}')} |"
    )


def _shown(estimate: Estimate, form: str) -> str:
    if estimate.low is None or estimate.high is None:
        return form.format(estimate.value)
    return f"{form.format(estimate.value)} [{form.format(estimate.low)}, {form.format(estimate.high)}]"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE")
    parser.add_argument("--tokens", type=int, default=16384, metavar="N")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--write", type=Path, metavar="DIR")
    given = parser.parse_args()
    main(given.checkpoint, given.text, given.tokens, given.methods, given.write)
