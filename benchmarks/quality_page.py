"""The page docs/quality.md, whose figures all come from the rows of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]

_NAMES = {
    "rtn": "`rtn`, affine",
    "rtn-symmetric": "`rtn`, symmetric",
    "awq": "`awq`",
    "gptq": "`gptq`",
    "best": "`best`",
    "best-int4-head": "`best`, INT4 head",
    "q4_0": "ggml Q4_0, blocks of 1 × 32",
    "original": "weights untouched",
}
_TITLES = {
    "original": "the original",
    "rtn": "`rtn`, as runtimes compute",
    "q4_0": "Q4_0, inputs not rounded",
    "best": "`best`, as runtimes compute",
}

_TEMPLATE = Path(__file__).with_name("quality_template.md")


def quality_page(rows: Mapping[str, Row], about: Mapping[str, Any], prompts: Sequence[str]) -> str:
    """Return the page; a row that is missing is omitted from the tables."""
    listed = {name: row for name, row in rows.items() if name in _NAMES}
    alone = {name: row for name, row in listed.items() if name != "original"}
    return _TEMPLATE.read_text(encoding="utf-8").format(
        **about,
        original=f"{next(iter(rows.values()))['found']['original_perplexity']:.2f}",
        weights_table="\n".join(_line(name, row["found"]["weights"]) for name, row in alone.items()),
        inputs_table="\n".join(_line(name, row["found"]["exact"]) for name, row in listed.items()),
        costs="\n".join(_cost(name, row) for name, row in listed.items() if "seconds" in row),
        samples="\n".join(_samples(rows, prompts)),
        verdict=_verdict(listed),
    )


def _line(name: str, score: Row) -> str:
    cells = (
        _NAMES[name],
        _shown(score["perplexity"], "{:.2f}"),
        _shown(score["change"], "{:+.1%}"),
        _shown(score["divergence"], "{:.3f}"),
        f"{score['divergence_99']:.2f}",
        _shown(score["same_top"], "{:.1%}"),
    )
    return f"| {' | '.join(cells)} |"


def _cost(name: str, row: Row) -> str:
    wall, cpu = row["seconds"]["wall"], row["seconds"]["cpu"]
    return f"| {_NAMES[name]} | {wall:,.0f} | {cpu:,.0f} | {row['bytes'] / 1e6:.1f} |"


def _samples(rows: Mapping[str, Row], prompts: Sequence[str]) -> list[str]:
    sampled = {name: row["samples"] for name, row in rows.items() if row.get("samples")}
    parts = []
    for number, prompt in enumerate(prompts):
        parts.append(f"\n**{_one_line(prompt)}**\n\n| model | text that follows |\n|---|---|")
        parts += [f"| {_TITLES[name]} | {_one_line(texts[number])} |" for name, texts in sampled.items()]
    return parts


def _verdict(rows: Mapping[str, Row]) -> str:
    """Return a sentence with the changes of perplexity of `awq` and `best`, or an empty string."""
    changes = [
        f"{_NAMES[name]} {_shown(rows[name]['found']['weights']['change'], '{:+.1%}')}"
        for name in ("awq", "best")
        if name in rows
    ]
    return f"The changes of perplexity at this size, by method, are: {', '.join(changes)}." if changes else ""


def _shown(estimate: Row, form: str) -> str:
    value = form.format(estimate["value"])
    if estimate["low"] is None:
        return value
    return f"{value} [{form.format(estimate['low'])}, {form.format(estimate['high'])}]"


def _one_line(text: str) -> str:
    """Return text for a cell of a table, with marks of Markdown escaped."""
    marked = "".join(f"\\{c}" if c in "\\`*_|<>[]#" else c for c in text.strip())
    return " ⏎ ".join(line.strip() for line in marked.splitlines() if line.strip())
