"""An evaluation as a self-contained page: scores, layers, blocks, and samples of text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from llq_format.evaluation.blocks import BlockMap
from llq_format.evaluation.heatmap import heatmap, legend
from llq_format.evaluation.layer_curve import layer_curve
from llq_format.html.elements import element, fields, figures, scrolling, table
from llq_format.html.page import page, read

MOST_MAPS = 1200
"""Maximum number of block pictures on a page; the matrices with the largest error are shown."""

_EDGE = 0.005  # share of blocks at either end of a scale of colours that are clipped
_PIXELS = 6  # of the screen, for a block

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Sample:
    """A prompt and what follows: in original text, by the original and by the package."""

    prompt: str
    text: str
    original: str
    package: str


def eval_page(report: Report, maps: Sequence[BlockMap], samples: Sequence[Sample], no_samples: str) -> str:
    """Return the page of a report of `llq eval`.

    no_samples: the reason if there are no samples.
    """
    title = f"{report['name']} against {report['against']}"
    return page(
        f"{title}: LLQ evaluation",
        [
            element("p", "LLQ evaluation", class_="kicker"),
            element("h1", title),
            element(
                "p",
                f"{report['tokens']:,} tokens of {report['text']} in {_sequences(report['sequences'])}, "
                f"which the original in binary32 predicts with perplexity "
                f"{report['original_perplexity']:.2f}.",
                class_="note",
            ),
            _figures(report),
            *_both(report),
            *_layers(report["layers"]),
            *_blocks(maps),
            *_samples(samples, no_samples),
            *_particulars(report),
        ],
        read("llq_format.evaluation", "evaluation.css"),
    )


def _figures(report: Report) -> ET.Element:
    """Return the main scores, for execution as in a runtime."""
    score = report["exact"]
    estimates = [
        ("perplexity", _estimate_text(score["perplexity"], "{:.2f}")),
        ("change", _estimate_text(score["change"], "{:+.1%}")),
        ("KL divergence, nats", _estimate_text(score["divergence"], "{:.3f}")),
        ("its 99th percentile, nats", (f"{score['divergence_99']:.2f}", "")),
        ("same top-1 token", _estimate_text(score["same_top"], "{:.1%}")),
    ]
    return figures(
        (name, [element("dd", value), element("dd", interval, class_="interval")])
        for name, (value, interval) in estimates
    )


def _both(report: Report) -> list[ET.Element]:
    forms = {"perplexity": "{:.3f}", "change": "{:+.1%}", "divergence": "{:.4f}", "same_top": "{:.1%}"}
    names = ("perplexity", "change", "KL divergence, nats", "same top-1 token")
    columns = ("exact", "weights")
    rows = [
        (name, *(" ".join(_estimate_text(report[column][key], form)) for column in columns))
        for name, (key, form) in zip(names, forms.items(), strict=True)
    ]
    rows.insert(
        3, ("its 99th percentile, nats", *(f"{report[column]['divergence_99']:.4f}" for column in columns))
    )
    head = ("", "inputs rounded as in runtimes", "INT4 weights alone")
    note = (
        "The figures above are of the package as runtimes execute it: weights in INT4, inputs of matrices "
        "rounded to binary16 or INT8. Brackets hold 95 % intervals over the sequences of the text"
    )
    single = report["sequences"] == 1
    ending = "; a single sequence has none." if single else "."
    return [element("p", note + ending, class_="note"), table(head, rows, "Both executions")]


def _layers(layers: Sequence[Report]) -> list[ET.Element]:
    title = element("h2", "Error of each layer")
    own_errors = [layer["own"] for layer in layers]
    if None in own_errors:
        words = "The package's coordinates were not recognised, so its layers cannot be compared one by one."
        return [title, element("p", words)]
    worst = max(range(len(own_errors)), key=own_errors.__getitem__)
    words = (
        f"Layer {worst} has the largest error. Given the original's residual stream, "
        f"{own_errors[worst]:.2%} of the energy of its contribution is error. After the last layer, "
        f"{layers[-1]['accumulated']:.2%} of the stream's energy is error. "
        "The inputs of matrices are not rounded here."
    )
    return [
        title,
        element("p", words),
        *layer_curve("of each layer alone", own_errors, "product"),
        *layer_curve(
            "of the residual stream after each layer", [layer["accumulated"] for layer in layers], "attention"
        ),
    ]


def _blocks(maps: Sequence[BlockMap]) -> list[ET.Element]:
    if not maps:
        return []
    omitted = len(maps) - MOST_MAPS // 2
    largest = sorted(maps, key=lambda matrix: -(matrix.error or 0))[: MOST_MAPS // 2]
    names = {matrix.name for matrix in largest}
    pictured = [matrix for matrix in maps if matrix.name in names]
    parts = [
        element("h2", "Blocks"),
        element(
            "p",
            "A cell is a block of 64 × 64 weights; block rows run from top to bottom. Colours are equal in "
            "all pictures of a kind; the lowest and the highest 0.5 % of the blocks are clipped.",
            class_="note",
        ),
    ]
    if omitted > 0:
        words = f"{omitted} of {len(maps)} matrices are not shown: those with the smallest errors."
        parts.append(element("p", words, class_="note"))
    errors = {matrix.name: matrix.errors for matrix in pictured if matrix.errors is not None}
    if errors:
        parts += _maps(
            "Error of each block",
            "norm of stored minus original weights over the norm of the original ones, in the coordinates of "
            "the package: its norms, rotations and order of channels are found in its weights",
            errors,
            "{:.1%}",
        )
    if len(errors) < len(pictured):
        words = (
            f"The coordinates of {len(pictured) - len(errors)} of {len(pictured)} matrices were not "
            "recognised, so their weights cannot be compared."
        )
        parts.append(element("p", words, class_="note"))
    scales = {matrix.name: matrix.scales.astype(np.float64) for matrix in pictured}
    return parts + _maps(
        "Scale of each block",
        "the difference of the weights of consecutive codes, on a logarithmic scale",
        scales,
        "{:.2g}",
        logarithmic=True,
    )


def _maps(
    title: str, explanation: str, values: Mapping[str, Any], form: str, *, logarithmic: bool = False
) -> list[ET.Element]:
    """Return small pictures, in a row for each kind of matrix."""
    pictured = {name: np.log2(value) if logarithmic else value for name, value in values.items()}
    flat = np.concatenate([value.ravel() for value in pictured.values()])
    low, high = (float(end) for end in np.quantile(flat, (_EDGE, 1 - _EDGE)))
    ends = [form.format(2**end if logarithmic else end) for end in (low, high)]
    rows: dict[str, list[ET.Element]] = {}
    for name, value in pictured.items():
        layer, kind = _split(name)
        matrix_values = values[name]
        span = f"{form.format(matrix_values.min())} to {form.format(matrix_values.max())}"
        down, across = value.shape
        picture = element(
            "img",
            src=heatmap(value, low, high),
            width=across * _PIXELS,
            height=down * _PIXELS,
            alt=f"{name}: {span}",
            title=f"{name}, {down} × {across} blocks: {span}",
        )
        rows.setdefault(kind, []).append(element("figure", picture, element("figcaption", layer)))
    bar = element(
        "div",
        element("span", ends[0]),
        element("img", src=legend(), alt="", class_="ramp"),
        element("span", ends[1]),
        class_="scale",
    )
    return [
        element("h3", title),
        element("p", f"{explanation[0].upper()}{explanation[1:]}.", class_="note"),
        bar,
        *(
            part
            for kind, pictures in rows.items()
            for part in (
                element("h4", kind),
                scrolling(kind, pictures, class_="maps"),
            )
        ),
    ]


def _samples(samples: Sequence[Sample], why_none: str) -> list[ET.Element]:
    title = element("h2", "Samples of text")
    if not samples:
        return [title, element("p", why_none)]
    note = (
        "Each model continues prompts from the text with the top-1 token at every step. The package runs "
        "as in a runtime. An early small difference changes all later text, so the samples show fluency, not "
        "equality."
    )
    sections = []
    for sample in samples:
        texts = [("original", sample.original), ("package", sample.package), ("original text", sample.text)]
        sections.append(
            element(
                "section",
                element("p", sample.prompt, class_="prompt"),
                element(
                    "div",
                    [element("div", element("h4", name), element("p", text)) for name, text in texts],
                    class_="side",
                ),
                class_="sample",
            )
        )
    return [title, element("p", note, class_="note"), *sections]


def _particulars(report: Report) -> list[ET.Element]:
    provenance = {f"provenance: {name}": value for name, value in report["provenance"].items()}
    values = {
        "package": report["path"],
        "checkpoint": report["checkpoint"],
        "text": report["text"],
        "text SHA-256": report["text_sha256"],
        **{name.replace("_", " "): value for name, value in provenance.items()},
    }
    return [element("h2", "Particulars"), fields((name, str(value)) for name, value in values.items())]


def _split(name: str) -> tuple[str, str]:
    """Return the label of a picture and the kind of matrix for a tensor name."""
    if not name.startswith("layers."):
        return "", name
    _, layer, kind = name.split(".", 2)
    if kind.startswith("ffn.experts."):
        _, _, expert, matrix = kind.split(".")
        return f"{layer}·{expert}", f"ffn.experts.{matrix}"
    return layer, kind


def _estimate_text(estimate: Report, form: str) -> tuple[str, str]:
    """Return an estimate and its interval as text."""
    value = form.format(estimate["value"])
    if estimate["low"] is None or not math.isfinite(estimate["high"]):
        return value, ""
    return value, f"[{form.format(estimate['low'])}, {form.format(estimate['high'])}]"


def _sequences(count: int) -> str:
    return f"{count} sequence{'' if count == 1 else 's'}"
