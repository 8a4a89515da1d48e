"""A report of one run: `report.json`, which follows protocol/report.schema.json, and `index.html`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.chapters import chapters
from ..core.check import Outcome, Result
from ..core.file_replacement import replace_file
from ..core.rules import area
from ..core.target import Target
from ..core.vectors import Vector
from ..diagnosis.rule_status import rule_statuses
from ..runtimes import messages
from . import provenance
from .verdict import ORDER, Omission, verdict

VERSION = 1
JSON, PAGE = "report.json", "index.html"

Report = dict[str, Any]


class ReportError(ValueError):
    """A file is not a report of this version."""


@dataclass(frozen=True)
class Run:
    """The content of a report: a runtime or an exporter, the options, and the results."""

    target: Target
    runtime: Any
    home: Path
    vectors: Sequence[Vector]
    options: Mapping[str, Any]
    results: Sequence[Result]
    seconds: float
    fresh: str = ""
    omission: Omission | None = None


def report(run: Run) -> Report:
    """Return the report of a run that ends now."""
    value: Report = {
        "report": VERSION,
        "date": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": round(run.seconds, 3),
        "suite": provenance.suite(),
        "vectors": provenance.vectors(run.home, run.vectors),
        "runtime": {
            "spec": run.target.spec,
            **_exporting(run.target),
            **asdict(run.runtime.info),
            "extensions": list(run.runtime.info.extensions),
            "capabilities": [name for name in ORDER if name in run.runtime.capabilities],
            "adapter": provenance.adapter(run.target.spec, run.runtime),
        },
        "host": provenance.host(),
        "options": dict(run.options),
        "verdict": _verdict(run),
        "totals": {outcome.value: sum(r.outcome is outcome for r in run.results) for outcome in Outcome},
        "rules": [
            {
                "id": entry.rule.id,
                "area": area(entry.rule.id),
                "sentence": entry.rule.sentence,
                "remedy": entry.rule.remedy,
                "stated": chapters().get(entry.rule.id, ""),
                "status": entry.status.value,
                "why": entry.why,
                "outcomes": {o.value: entry.outcomes[o] for o in Outcome if entry.outcomes.get(o)},
            }
            for entry in rule_statuses(run.results)
        ],
        "descriptions": {vector.id: vector.description for vector in run.vectors},
        "results": [result.to_json() for result in run.results],
    }
    messages.conform(value, "report")
    return value


def _verdict(run: Run) -> dict[str, Any]:
    """Return the verdict, and the number of omitted checks."""
    found = verdict(run.results, run.runtime.capabilities, run.target.option, run.fresh, run.omission)
    omitted = run.omission.omitted if run.omission else 0
    return {"status": found.status.value, "text": found.text, "omitted": omitted}


def _exporting(target: Target) -> dict[str, str]:
    """Return the further members of a report about an exporter."""
    if not target.exporting:
        return {}
    return {"option": target.option, "claims": target.claims, "judge": target.judge}


def target(value: Report) -> Target:
    """Return the target that a report is about."""
    runtime = value["runtime"]
    members = {name: runtime[name] for name in ("spec", "option", "claims", "judge") if name in runtime}
    return Target(**members)


def read(path: Path) -> Report:
    """Return the report in a file, or in a directory that `--report` wrote.

    Raises ReportError if there is no report, or if its version or its schema does not match.
    """
    file = path / JSON if path.is_dir() else path
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(value, dict) and value.get("report", VERSION) != VERSION:
            raise ReportError(
                f"{file} is a report of version {value['report']}; this suite reads version {VERSION}: "
                "run the suite again with --report"
            )
        messages.conform(value, "report")
    except OSError as error:
        raise ReportError(f"{file}: {error.strerror}; pass a directory that --report wrote") from error
    except (messages.MessageError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ReportError(f"{file} is not a report of the suite: {error}; write one with --report") from error
    return dict(value)


def write(value: Report, directory: Path, page: str) -> None:
    """Write report and page into a directory, made if need be; each file appears whole or not at all."""
    directory.mkdir(parents=True, exist_ok=True)
    replace_file(directory / JSON, json.dumps(value, indent=1, ensure_ascii=True) + "\n")
    replace_file(directory / PAGE, page)
