"""Profiles as self-contained pages: one report with its timelines, several as a matrix."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from llq_format.html.elements import element, fields, figures, table, table_of
from llq_format.html.page import page, read
from llq_format.html.svg import columns
from llq_format.webgpu.profiling.comparison import METRICS, ProfileMatrix, best, cell
from llq_format.webgpu.profiling.report import ProfileReport
from llq_format.webgpu.profiling.timeline import KINDS, timeline_picture

Report = Mapping[str, Any]


def profile_page(report: ProfileReport) -> str:
    """Return the page of a report that `profile` made."""
    value = report.value
    model, device = value["model"], value["device"]
    title = f"{model['name']} on {device['adapter']}"
    return page(
        f"{title}: LLQ profile",
        [
            element("p", f"LLQ profile, {value['date']}", class_="kicker"),
            element("h1", title),
            element(
                "p",
                f"Variant {value['program']['variant']}, {device['driver']}, {device['backend']}. "
                f"Times are {value['timing']['statistic']}s. {value['timing']['description']}",
                class_="note",
            ),
            _figures(value),
            *_timeline(value, "decode", "One token of decode"),
            *_timeline(value, "prefill", f"Prefill of {value['prefill']['tokens']} tokens"),
            *_blocks(value),
            *_host_time(value),
            *_operations(value, "decode", "a token"),
            *_operations(value, "prefill", "the prompt"),
            *_entry_points(value),
            *_particulars(value),
        ],
        _style(),
    )


def matrix_page(matrix: ProfileMatrix) -> str:
    """Return the page of a performance matrix."""
    head = element(
        "tr",
        element("th", "model and metric", scope="col"),
        [
            element(
                "th", c.device, [element("small", t) for t in (c.variant, c.driver, c.software)], scope="col"
            )
            for c in matrix.columns
        ],
    )
    rows = []
    for model in matrix.models:
        span = str(len(matrix.columns))
        heading = element("tr", element("th", model, scope="rowgroup"), element("td", colspan=span))
        heading.set("class", "model")
        rows.append(heading)
        for metric in METRICS:
            values = matrix.row(model, metric)
            top = best(values, metric.better)
            cells = [
                element("td", element("strong", cell(v)) if v is not None and v == top else cell(v))
                for v in values
            ]
            name = element("th", metric.name, " ", element("small", metric.unit), scope="row")
            rows.append(element("tr", name, cells))
    caption = "Performance matrix"
    return page(
        "LLQ performance matrix",
        [
            element("p", f"LLQ profiles of {len(matrix.columns)} devices", class_="kicker"),
            element("h1", caption),
            element("p", "The best value of a row is underlined. Occupancy is estimated from the program."),
            *(element("p", warning, class_="warning") for warning in matrix.warnings),
            table_of(head, rows, caption, class_="matrix"),
        ],
        _style(),
    )


def _style() -> str:
    return read("llq_format.webgpu.profiling", "profile.css")


def _figures(value: Report) -> ET.Element:
    decode, prefill = value["decode"], value["prefill"]
    numbers = [
        ("decode", decode.get("tokens_per_s"), "tokens/s"),
        ("per token on the device", decode["gpu_ms"], "ms"),
        ("prefill", prefill.get("tokens_per_s"), "tokens/s"),
        ("weights read", decode.get("weight_gb_per_s"), "GB/s"),
        ("dispatches per token", decode["dispatches"], ""),
        ("memory", value["memory_usage_mb"], "MB"),
        ("occupancy", value["workgroup_occupancy"], "an estimate"),
    ]
    return figures(
        (f"{name}, {unit}" if unit else name, [element("dd", cell(number))]) for name, number, unit in numbers
    )


def _timeline(value: Report, phase: str, title: str) -> list[ET.Element]:
    kinds = [element("li", name, class_=kind) for kind, name in KINDS.items()]
    legend = element("ul", kinds, class_="legend")
    note = "Every dispatch has its own compute pass; bands are layers. Point at a bar to see its values."
    picture = timeline_picture(value[phase]["timeline"], title)
    details = [element("p", note, class_="note"), legend] if value[phase]["timeline"] else []
    return [element("h2", title), *details, picture]


def _blocks(value: Report) -> list[ET.Element]:
    """Return the times of layers in decode as columns."""
    times = value["block_times_ms"]
    longest = max((time for time in times if time), default=1.0)
    chart = columns(
        [(time or 0) / longest for time in times],
        [f"layer {layer}: {cell(time)} ms" for layer, time in enumerate(times)],
        f"times of {len(times)} layers, the longest {cell(longest)} ms",
        "product",
    )
    ends = element(
        "div",
        element("span", "layer 0"),
        element("span", f"highest {cell(longest)} ms"),
        element("span", f"layer {len(times) - 1}"),
        class_="ends",
    )
    return [element("h2", "Layers, one token of decode"), chart, ends]


def _host_time(value: Report) -> list[ET.Element]:
    """Return the use of the time of a token, with and without waiting for each token."""
    decode = value["decode"]
    host, gpu = decode["host_ms"], decode["gpu_ms"]
    parts = [("encoding", host["encode"], "choice"), ("submitting", host["submit"], "attention")]
    if gpu is None:
        parts.append(("waiting for the device", host["wait"], "product"))
    else:
        parts.append(("computing on the device", min(gpu, host["wait"]), "product"))
        parts.append(("waiting after that", max(0.0, host["wait"] - gpu), "rest"))
    bar = element(
        "div",
        [element("i", class_=kind, style=f"flex: {ms:.6f} 0 0") for _, ms, kind in parts if ms],
        class_="split",
        role="img",
        aria_label="shares of one token's time",
    )
    legend = [element("li", f"{name} {cell(ms)} ms", class_=kind) for name, ms, kind in parts]
    words = f"A single token takes {cell(host['wall'])} ms from encoding to result."
    if "in_flight_ms" in decode:
        words += f" With all tokens in flight it takes {cell(decode['in_flight_ms'])} ms."
    blocks = sum(time or 0 for time in value["block_times_ms"])
    other_ms = sum(time or 0 for time in decode.get("other_times_ms", {}).values())
    sums = f"On the device: {cell(gpu)} ms in one pass, {cell(blocks + other_ms)} ms in a pass for each layer"
    if decode.get("dispatches_ms") is not None:
        sums += f", {cell(decode['dispatches_ms'])} ms in a pass for each dispatch"
    return [
        element("h2", "Host time of a token"),
        element("p", words),
        bar,
        element("ul", legend, class_="legend"),
        element("p", sums + ".", class_="note"),
    ]


def _operations(value: Report, phase: str, subject: str) -> list[ET.Element]:
    head = ("operation", "ms", "share", "dispatches", "workgroups", "GB/s of weights", "entry points")
    rows = [
        (
            row["operation"],
            cell(row["ms"]),
            _percent(row.get("share")),
            cell(row["dispatches"]),
            cell(row.get("workgroups")),
            cell(row.get("weight_gb_per_s")),
            ", ".join(row.get("entry_points", ())),
        )
        for row in value[phase]["operations"]
    ]
    title = f"Operations of {subject}"
    return [element("h2", title), table(head, rows, title)]


def _entry_points(value: Report) -> list[ET.Element]:
    rows_by_kernel: dict[str, dict[str, Report]] = {}
    for phase in ("decode", "prefill"):
        for row in value[phase].get("entry_points", ()):
            rows_by_kernel.setdefault(row["entry_point"], {})[phase] = row
    head = ("kernel", "decode, ms", "decode, GB/s", "prefill, ms", "prefill, GB/s")
    rows = [
        (
            name,
            *(
                cell(phases[phase].get(member)) if phase in phases else "–"
                for phase in ("decode", "prefill")
                for member in ("ms", "weight_gb_per_s")
            ),
        )
        for name, phases in rows_by_kernel.items()
    ]
    return [element("h2", "Kernels"), table(head, rows, "Kernels")]


def _particulars(value: Report) -> list[ET.Element]:
    memory = {f"memory: {name}": f"{count / 1e6:,.3f} MB" for name, count in value["memory_bytes"].items()}
    groups: Sequence[Mapping[str, Any]] = [
        memory,
        {"occupancy": value["occupancy"]["of"], **_labelled(value["occupancy"], skip=("of",))},
        *(
            _labelled(value[name], skip=("description",))
            for name in ("device", "model", "program", "software")
        ),
        _labelled(value["timing"], skip=("description",)),
    ]
    values = ((name, str(text)) for group in groups for name, text in group.items())
    return [element("h2", "Particulars"), fields(values)]


def _labelled(members: Mapping[str, Any], skip: Sequence[str]) -> dict[str, str]:
    return {
        name.replace("_", " "): f"{item:,}" if isinstance(item, int) else str(item)
        for name, item in members.items()
        if name not in skip and item not in ("", None)
    }


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"
