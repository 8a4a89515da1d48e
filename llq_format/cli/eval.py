"""`llq eval`: how near a package is to the checkpoint that it was made of."""

from pathlib import Path
from typing import Annotated, Any

import typer

from llq_format.cli.failures import about
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.terminal import ProgressBar, print_fields, print_heading, print_json, print_table, stdout

_NAMES = {"weights": "INT4 weights, inputs as they are", "exact": "inputs rounded too, as runtimes do"}


def evaluate(
    path: PackagePath,
    *,
    against: Annotated[
        Path,
        typer.Option(metavar="CHECKPOINT", help="What the package was made of.", show_default=False),
    ],
    text: Annotated[
        Path,
        typer.Option(metavar="FILE", help="UTF-8 text, or token ids in an .npy.", show_default=False),
    ],
    tokens: Annotated[
        int, typer.Option(metavar="N", min=32, help="Read so many tokens at most, in sequences of 512.")
    ] = 4096,
    json: Json = False,
) -> None:
    """Measure how near a package is to its checkpoint.

    Perplexity, divergence from the original, share of equal likeliest tokens, error of each layer.
    Intervals are of 95 %, over the sequences of the text. The text must not have calibrated the package.

    Example: llq eval smollm2 --against SmolLM2-135M-Instruct --text story.txt
    """
    from llq_format.calibration import calibration  # noqa: PLC0415  # starts fast without NumPy's weight
    from llq_format.checkpoint import open_checkpoint  # noqa: PLC0415
    from llq_format.evaluation import evaluate as compare  # noqa: PLC0415
    from llq_format.reader import open as open_package  # noqa: PLC0415
    from llq_format.tokenizer import TokenizerFiles  # noqa: PLC0415

    with about(path), open_package(path) as package, open_checkpoint(against, tokenizer=False) as checkpoint:
        model, entry = package.metadata.model, package.metadata.tokenizer
        if model is None:
            raise ValueError("this package holds tensors but no model: there is nothing to evaluate")
        tokenizer = None
        if entry is not None:
            tokenizer = TokenizerFiles(
                package.read_file(entry), entry.bos_token_id, entry.eos_token_ids, entry.chat_template
            )
        read = calibration(text, tokenizer, model.vocab_size, model.context_length, tokens)
        with ProgressBar("layers") as bar:
            bar.start(len(model.layers), path.name)
            found = compare(package, checkpoint, read.tokens, bar.advance)
    report = {"path": str(path), "text": read.source, "text_sha256": read.sha256, **found.to_json()}
    if json:
        print_json(report)
        return
    _print(report)


def _print(report: dict[str, Any]) -> None:
    console = stdout()
    fields = [
        ("package", report["path"]),
        ("text", f"{report['text']}: {report['tokens']:,} tokens in {report['sequences']} sequences"),
        ("original", f"perplexity {report['original_perplexity']:.3f}"),
    ]
    print_fields(console, fields, indent=0)
    for name, title in _NAMES.items():
        score = report[name]
        print_heading(console, title)
        print_fields(
            console,
            [
                ("perplexity", _with_interval(score["perplexity"], "{:.3f}")),
                ("change", _with_interval(score["change"], "{:+.1%}")),
                ("KL divergence", _with_interval(score["divergence"], "{:.4f}") + " nats"),
                ("99th percentile", f"{score['divergence_99']:.4f} nats"),
                ("same top token", _with_interval(score["same_top"], "{:.1%}")),
            ],
        )
    print_heading(console, "Error of each layer, relative: of what it adds, and of the stream after it")
    print_table(
        console,
        ("layer", "own", "accumulated"),
        ([n, _error(layer["own"]), _error(layer["accumulated"])] for n, layer in enumerate(report["layers"])),
    )


def _with_interval(estimate: dict[str, Any], form: str) -> str:
    shown = form.format(estimate["value"])
    if estimate["low"] is None:
        return shown
    return f"{shown} [{form.format(estimate['low'])}, {form.format(estimate['high'])}]"


def _error(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.5f}"
