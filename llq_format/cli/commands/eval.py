"""`llq eval`: the differences between a package and the checkpoint that it was exported from."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llq_format.cli.failures import about
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.remote_checkpoints import local_checkpoint
from llq_format.cli.terminal import (
    ProgressBar,
    print_fields,
    print_heading,
    print_json,
    print_line,
    print_table,
    stderr,
    stdout,
)
from llq_format.files.file_replacement import replace_file

if TYPE_CHECKING:
    from llq_format.exporting.calibration.tokens import Calibration
    from llq_format.exporting.checkpoint import Checkpoint
    from llq_format.metadata.tokenizer import TokenizerFiles
    from llq_format.package.reader import Package

_NAMES = {
    "weights": "INT4 weights, inputs not rounded",
    "exact": "INT4 weights, inputs rounded as in runtimes",
}
_PROMPT, _FOLLOWING = 32, 48  # tokens of a sample on the page


def evaluate(  # noqa: PLR0913  # one argument an option
    path: PackagePath,
    *,
    against: Annotated[
        str,
        typer.Option(
            metavar="CHECKPOINT",
            help="Original checkpoint: a Hugging Face directory or a GGUF file, or an address as in "
            "`llq export`.",
            show_default=False,
        ),
    ],
    text: Annotated[
        Path,
        typer.Option(metavar="FILE", help="Text in UTF-8, or token ids in an .npy file.", show_default=False),
    ],
    tokens: Annotated[
        int, typer.Option(metavar="N", min=32, help="Maximum number of tokens to read, in sequences of 512.")
    ] = 4096,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="HTML report to write.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the quality loss of a package against its checkpoint.

    Prints the perplexity, the divergence from the original model, the share of equal top-1 tokens and the
    error of each layer, with 95 % confidence intervals over the sequences of the text. Use a text that did
    not calibrate the package. The HTML report adds the scale and the error of each block, and samples of
    text that both models generate. The package may come from any exporter.

    Example: llq eval smollm2 --against SmolLM2-135M-Instruct --text story.txt

    Example: llq eval smollm2 --against hf://HuggingFaceTB/SmolLM2-135M-Instruct --text story.txt

    Example: llq eval smollm2 --against model.gguf --text ids.npy --tokens 16384 --html eval.html
    """
    from llq_format.evaluation import evaluate as compare  # noqa: PLC0415
    from llq_format.exporting.calibration import calibration  # noqa: PLC0415  # starts fast without NumPy's weight
    from llq_format.exporting.checkpoint import open_checkpoint  # noqa: PLC0415
    from llq_format.package.reader import open as open_package  # noqa: PLC0415

    if html is not None and not html.parent.is_dir():
        raise typer.BadParameter(f"directory {html.parent} not found", param_hint="'--html'")
    with about(path), open_package(path) as package:
        model = package.metadata.model
        if model is None:
            raise ValueError("this package has no model: `llq eval` requires a model package")
        has_tokenizer = package.metadata.tokenizer is not None
        original, _ = local_checkpoint(against)
        with (
            open_checkpoint(original, tokenizer=not has_tokenizer) as checkpoint,
            ProgressBar("layers") as bar,
        ):
            tokenizer = _tokenizer(package) or checkpoint.tokenizer
            tokenized = calibration(text, tokenizer, model.vocab_size, model.context_length, tokens)
            layers = len(model.layers)
            of_page = layers + 2 * _FOLLOWING if html is not None else 0
            bar.start(layers + len(tokenized.tokens) + of_page, path.name)
            evaluation = compare(package, checkpoint, tokenized.tokens, bar.advance)
            report = {
                "path": str(path),
                "checkpoint": against,
                "text": tokenized.source,
                "text_sha256": tokenized.sha256,
                **evaluation.to_json(),
            }
            if html is not None:
                page = _page(report, package, checkpoint, tokenized, tokenizer, bar)
    if html is not None:
        with replace_file(html) as file:
            file.write(page.encode())
        print_line(stderr(), f"wrote {html}")
    if json:
        print_json(report)
        return
    _print(report)


def _tokenizer(package: "Package") -> "TokenizerFiles | None":
    from llq_format.metadata.tokenizer import TokenizerFiles  # noqa: PLC0415

    entry = package.metadata.tokenizer
    if entry is None:
        return None
    return TokenizerFiles(
        package.read_file(entry),
        entry.bos_token_id,
        entry.eos_token_ids,
        entry.chat_template,
        entry.special_tokens,
    )


def _page(  # noqa: PLR0913, PLR0917  # the contents of the page
    report: dict[str, Any],
    package: "Package",
    checkpoint: "Checkpoint",
    tokenized: "Calibration",
    tokenizer: "TokenizerFiles | None",
    bar: ProgressBar,
) -> str:
    """Return the page. `bar` advances by one for each layer and each generated token."""
    from llq_format.evaluation import block_maps  # noqa: PLC0415
    from llq_format.evaluation.eval_page import eval_page  # noqa: PLC0415
    from llq_format.evaluation.written_text import written_samples  # noqa: PLC0415

    maps = list(block_maps(package, checkpoint, bar.advance))
    samples, why_none = written_samples(
        package, checkpoint, tokenized.tokens, tokenizer, _PROMPT, _FOLLOWING, bar.advance
    )
    extras = package.metadata.extras
    provenance = extras.get("provenance") if isinstance(extras, dict) else None
    page_report = {
        **report,
        "name": package.directory.resolve().name,
        "against": Path(report["checkpoint"]).resolve().name,
        "provenance": provenance if isinstance(provenance, dict) else {},
    }
    return eval_page(page_report, maps, samples, why_none)


def _print(report: dict[str, Any]) -> None:
    console = stdout()
    sequences = f"{report['sequences']} sequence{'' if report['sequences'] == 1 else 's'}"
    fields = [
        ("package", report["path"]),
        ("text", f"{report['text']}: {report['tokens']:,} tokens in {sequences}"),
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
                ("same top-1 token", _with_interval(score["same_top"], "{:.1%}")),
            ],
        )
    print_heading(
        console,
        "Relative error of each layer: of its contribution (own), and of the residual stream after it",
    )
    print_table(
        console,
        ("layer", "own", "accumulated"),
        ([n, _error(layer["own"]), _error(layer["accumulated"])] for n, layer in enumerate(report["layers"])),
    )


def _with_interval(estimate: dict[str, Any], form: str) -> str:
    estimate_text = form.format(estimate["value"])
    if estimate["low"] is None:
        return estimate_text
    return f"{estimate_text} [{form.format(estimate['low'])}, {form.format(estimate['high'])}]"


def _error(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.5f}"
