"""Profiles of several devices as one performance matrix: rows are models and metrics, columns devices."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from llq_format.webgpu.profiling.report import ProfileReport

FORMAT = "llq-profile-matrix"


@dataclass(frozen=True, slots=True)
class Metric:
    """A row: its name, its unit, its value and the direction of better values."""

    name: str
    unit: str
    value: Callable[[Mapping[str, Any]], float | None]
    better: Literal["more", "less", "neither"]


def _member(*path: str) -> Callable[[Mapping[str, Any]], float | None]:
    def value_at(report: Mapping[str, Any]) -> float | None:
        value: Any = report
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, int | float) else None

    return value_at


def _blocks(combine: Callable[[list[float]], float]) -> Callable[[Mapping[str, Any]], float | None]:
    def combined(report: Mapping[str, Any]) -> float | None:
        times = [time for time in report["block_times_ms"] if time is not None]
        return combine(times) if times else None

    return combined


METRICS = (
    Metric("decode", "tokens/s", _member("decode", "tokens_per_s"), "more"),
    Metric("decode, in flight", "ms/token", _member("decode", "in_flight_ms"), "less"),
    Metric("decode, alone", "ms/token", _member("decode", "host_ms", "wall"), "less"),
    Metric("decode on the device", "ms/token", _member("decode", "gpu_ms"), "less"),
    Metric("block_times_ms, median", "ms", _blocks(statistics.median), "less"),
    Metric("block_times_ms, longest", "ms", _blocks(max), "less"),
    Metric("block_times_ms, sum", "ms", _blocks(sum), "less"),
    Metric("weights read in decode", "GB/s", _member("decode", "weight_gb_per_s"), "more"),
    Metric("dispatches per token", "", _member("decode", "dispatches"), "less"),
    Metric("encoding per token", "ms", _member("decode", "host_ms", "encode"), "less"),
    Metric("prefill", "tokens/s", _member("prefill", "tokens_per_s"), "more"),
    Metric("prefill on the device", "ms", _member("prefill", "gpu_ms"), "less"),
    Metric("memory_usage_mb", "MB", _member("memory_usage_mb"), "less"),
    Metric("workgroup_occupancy", "estimate", _member("workgroup_occupancy"), "neither"),
)

# Members that must be equal to compare the results of a model.
_CONDITIONS = {
    "package": ("model", "digest"),
    "program": ("program", "sha256"),
    "context": ("program", "context"),
    "first position decoded": ("decode", "first_position"),
    "tokens of the prompt": ("prefill", "tokens"),
    "timing": ("timing", "method"),
}


@dataclass(frozen=True, order=True)
class Column:
    """A device as a column; variant, driver and software distinguish devices with equal names."""

    device: str
    variant: str
    driver: str
    software: str


@dataclass
class ProfileMatrix:
    """Reports by model and column, with warnings about differences of conditions."""

    columns: list[Column] = field(default_factory=list)
    models: dict[str, dict[Column, Mapping[str, Any]]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the root object; absent values are null."""
        return {
            "format": FORMAT,
            "version": "1.0",
            "columns": [
                {name: getattr(column, name) for name in ("device", "variant", "driver", "software")}
                for column in self.columns
            ],
            "models": [
                {
                    "model": model,
                    "metrics": [
                        {"name": metric.name, "unit": metric.unit, "values": self.row(model, metric)}
                        for metric in METRICS
                    ],
                }
                for model in self.models
            ],
            "warnings": self.warnings,
        }

    def row(self, model: str, metric: Metric) -> list[float | None]:
        """Return the values of one metric, in the order of columns."""
        cells = [self.models[model].get(column) for column in self.columns]
        return [None if report is None else metric.value(report) for report in cells]


def best(values: Sequence[float | None], better: str) -> float | None:
    """Return the best of several values, or None if no value is better."""
    measured = [value for value in values if value is not None]
    if better == "neither" or len(set(measured)) < 2:
        return None
    return max(measured) if better == "more" else min(measured)


def merge(reports: Iterable[tuple[str, ProfileReport]]) -> ProfileMatrix:
    """Return the matrix of reports, each with a default name.

    Of several reports of one model on one device, the latest is used, with a warning.
    """
    merged = ProfileMatrix()
    for name, report in reports:
        value = report.value
        column = _column(name, value)
        model = str(_at(value, "model", "name") or "unnamed model")
        row = merged.models.setdefault(model, {})
        if column not in merged.columns:
            merged.columns.append(column)
        if column in row:
            repeated = f"{model} was measured more than once on {column.device}"
            merged.warnings.append(f"{repeated}: the latest report is used")
            if str(row[column].get("date", "")) > str(value.get("date", "")):
                continue
        row[column] = value
    merged.columns.sort()
    for model, row in merged.models.items():
        for condition, path in _CONDITIONS.items():
            members = (_at(value, *path) for value in row.values())
            values = sorted({str(member) for member in members if member is not None})
            if len(values) > 1:
                listing = ", ".join(text[:12] for text in values)
                merged.warnings.append(f"{model}: the reports differ in {condition}: {listing}")
    return merged


def cell(value: float | None) -> str:
    """Return a number with four significant digits and separators of thousands."""
    if value is None:
        return "–"
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}" if abs(value) >= 0.001 or value == 0 else f"{value:.1e}"


def _column(name: str, value: Mapping[str, Any]) -> Column:
    software = value.get("software", {})
    runtime = " ".join(str(software[part]) for part in ("runtime", "version", "webgpu") if part in software)
    driver = " ".join(str(member) for part in ("driver", "backend") if (member := _at(value, "device", part)))
    return Column(
        str(_at(value, "device", "adapter") or name),
        str(_at(value, "program", "variant") or ""),
        driver,
        runtime,
    )


def _at(value: Mapping[str, Any], *path: str) -> Any:
    member: Any = value
    for name in path:
        member = member.get(name) if isinstance(member, Mapping) else None
    return member
