"""Quality of each quantization method: `python -m benchmarks.quality CHECKPOINT --text FILE --work DIR`.

Exports the checkpoint with every method and evaluates each package. It evaluates ggml's Q4_0 of the same
matrices too, by the gguf package, and the original with INT8 inputs alone. Each row is stored as
DIR/ROW.json, so a stopped run can continue; --rows measures some rows again. --write DOCS writes the page
DOCS/quality.md from the stored rows. The text must not be part of the calibration text.
"""

import argparse
import hashlib
import json
import math
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, quants
from numpy.typing import NDArray

import llq_format
from benchmarks.quality_page import quality_page
from llq_format.evaluation import continuations, evaluate_weights
from llq_format.exporting.calibration import calibration
from llq_format.exporting.calibration.tokens import Calibration
from llq_format.exporting.checkpoint import Checkpoint, open_checkpoint
from llq_format.files.file_replacement import replace_file
from llq_format.format.layout import is_int4
from llq_format.metadata.model import Model, tensor_roles
from llq_format.reference.text import text_of, token_ids

EXPORTS = {
    "rtn": ("--method", "rtn"),
    "rtn-symmetric": ("--method", "rtn", "--scheme", "symmetric"),
    "awq": ("--method", "awq"),
    "gptq": ("--method", "gptq"),
    "best": ("--method", "best"),
    "best-int4-head": ("--method", "best", "--head", "int4"),
}
"""Options of `llq export` by row; heads are stored as binary16, except in the last row."""

ROWS = ("original", *EXPORTS, "q4_0")
SAMPLED = ("original", "rtn", "q4_0", "best")
PROMPTS = (
    "Once upon a time, in a small village by the sea,",
    "Question: Why is the sky blue?\nAnswer:",
    "The three most important inventions of the nineteenth century were",
)
_FOLLOWING = 48

Load = Callable[[str], NDArray[np.float32]]


@dataclass(frozen=True)
class Inputs:
    """The inputs of all rows."""

    path: str
    source: Checkpoint
    model: Model
    text: Calibration
    work: Path


def measure(inputs: Inputs, rows: list[str] | None) -> dict[str, Any]:
    """Measure the rows that are missing, or those that are named; return all that are there."""
    of = {
        "checkpoint": Path(inputs.path).name,
        "text_sha256": inputs.text.sha256,
        "tokens": inputs.text.tokens.size,
    }
    measured = {}
    for name in ROWS:
        file = inputs.work / f"{name}.json"
        row = json.loads(file.read_text(encoding="utf-8")) if file.exists() else None
        if row is not None and row["of"] != of:
            row = None
        if (row is None and rows is None) or name in (rows or ()):
            print(f"{name} …", file=sys.stderr, flush=True)
            row = {"of": of, **_measure(name, inputs)}
            with replace_file(file) as stream:
                stream.write(json.dumps(row, indent=1).encode())
        if row is not None:
            measured[name] = row
    return measured


def main(options: argparse.Namespace) -> None:
    """Measure and print the page; write it where asked."""
    options.work.mkdir(parents=True, exist_ok=True)
    with open_checkpoint(options.checkpoint) as source:
        model = Model.from_json(source.model)
        text = calibration(
            options.text, source.tokenizer, model.vocab_size, model.context_length, options.tokens
        )
        rows = measure(Inputs(options.checkpoint, source, model, text, options.work), options.rows)
    sizes = {role.name: math.prod(role.shape) for role in tensor_roles(model)}
    about = {
        "checkpoint": Path(options.checkpoint).name,
        "text": options.text.name,
        "sha256": hashlib.sha256(options.text.read_bytes()).hexdigest(),
        "tokens": text.tokens.size,
        "sequences": len(text.tokens),
        "weights": sum(sizes.values()) / 1e6,
        "matrices": sum(size for name, size in sizes.items() if _is_rounded(name, model)) / 1e6,
        "following": _FOLLOWING,
    }
    page = quality_page(rows, about, PROMPTS)
    print(page)
    if options.write is not None:
        (options.write / "quality.md").write_text(page, encoding="utf-8")


def _measure(name: str, inputs: Inputs) -> dict[str, Any]:
    """Return the results of a row: evaluation, seconds of the export, bytes, samples."""
    source, model = inputs.source, inputs.model
    if name not in EXPORTS:
        load = _q4_0(model, source) if name == "q4_0" else source.load
        evaluation = _evaluated(model, load, inputs)
        samples = _samples(model, load, inputs, exact=False) if name in SAMPLED else None
        return {"found": evaluation, "samples": samples}
    package = inputs.work / name
    if package.exists():
        shutil.rmtree(package)
    head = () if "--head" in EXPORTS[name] else ("--head", "f16")
    command = [sys.executable, "-m", "llq_format", "export", inputs.path, str(package), "--no-program"]
    wall, cpu = time.perf_counter(), _cpu_seconds()
    subprocess.run([*command, *EXPORTS[name], *head], check=True, stdout=sys.stderr)
    seconds = {"wall": time.perf_counter() - wall, "cpu": _cpu_seconds() - cpu}
    size = sum(file.stat().st_size for file in package.glob("*.llq"))
    with llq_format.open(package) as opened:
        stored = opened.metadata.model
        assert stored is not None  # noqa: S101  # it was exported from a model
        evaluation = _evaluated(stored, opened.get_tensor, inputs)
        samples = _samples(stored, opened.get_tensor, inputs, exact=True) if name in SAMPLED else None
    return {"found": evaluation, "samples": samples, "seconds": seconds, "bytes": size}


def _evaluated(model: Model, load: Load, inputs: Inputs) -> dict[str, Any]:
    return evaluate_weights(model, load, inputs.source, inputs.text.tokens, layer_errors=False).to_json()


def _samples(model: Model, load: Load, inputs: Inputs, *, exact: bool) -> list[str]:
    """Return the continuation of each prompt."""
    tokenizer = inputs.source.tokenizer
    assert tokenizer is not None  # noqa: S101  # the text was read with it
    texts = []
    for prompt in PROMPTS:
        ids = token_ids(tokenizer.tokenizer_json, prompt)
        bos = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
        following = continuations(model, load, np.array([[*bos, *ids]]), _FOLLOWING, exact=exact)[0]
        texts.append(text_of(tokenizer.tokenizer_json, following.tolist()))
    return texts


def _q4_0(model: Model, source: Checkpoint) -> Load:
    """Return the original's tensors, Q4_0 and back where a package stores INT4, the head excepted."""
    kind = GGMLQuantizationType.Q4_0
    rounded = {role.name for role in tensor_roles(model) if _is_rounded(role.name, model)}

    def load(name: str) -> NDArray[np.float32]:
        weights = source.load(name)
        if name not in rounded:
            return weights
        return np.asarray(quants.dequantize(quants.quantize(weights, kind), kind), np.float32)

    return load


def _is_rounded(name: str, model: Model) -> bool:
    dtypes = next(role.dtypes for role in tensor_roles(model) if role.name == name)
    return name != "lm_head" and any(map(is_int4, dtypes))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--text", type=Path, required=True, metavar="FILE")
    parser.add_argument("--tokens", type=int, default=8192, metavar="N")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="directory for the rows")
    parser.add_argument(
        "--rows",
        type=lambda names: names.split(","),
        metavar="NAME,NAME",
        help=f"rows to measure ({', '.join(ROWS)})",
    )
    parser.add_argument("--write", type=Path, metavar="DOCS")
    options = parser.parse_args()
    if unknown := set(options.rows or ()) - set(ROWS):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    main(options)
