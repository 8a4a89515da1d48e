"""Run mutation operators over the reference, and report which mutants the vectors kill.

Each mutant is the reference with one small change, such as a limit at 16, a narrower type or a missing step.
A run can be interrupted and continued: its results are in a file, which is used again while the reference,
the suite and the vectors are unchanged.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is imported: a process that forks has one thread
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import json
import pickle
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ...core.file_replacement import replace_file
from .page import html
from .progress import Progress
from .questions import Recording, questions, record
from .report import Report
from .results import ResultsFile, inputs_digest
from .run import all_mutants, run, sample

DEFAULT_RESULTS = Path("build/mutants/results.jsonl")

LIMIT = 16.0
"""Seconds of the reference under the recorder for the questions to one mutant.

In a sample of 7,844 mutants with a limit of 20, 4 of 5,269 kills needed more than 16: fewer than 0.1 %.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print a report; return exit status 1 if survivors lack reasons, or reasons survivors."""
    options = _options(arguments)
    progress = Progress(sys.stderr)
    progress.show("recording which questions evaluate which expressions")
    digest = f"{inputs_digest()} {options.questions} {options.limit:g}"
    recording = recorded(options.results.with_suffix(".recording"), digest, options)
    candidates = [m for m in all_mutants(recording) if fnmatchcase(m.place, options.only)]
    selection = candidates if options.sample is None else sample(candidates, options.sample, options.seed)
    results = ResultsFile(options.results, digest)
    progress.total = len(selection)
    try:
        run(selection, recording, results, jobs=options.jobs, limit=options.limit, on_row=progress.add)
        interrupted = False
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress.end()
        results.close()
    rows = [results.rows[mutant.key] for mutant in selection if mutant.key in results.rows]
    report = Report(rows, complete=len(rows) == len(candidates) and not _partial(options))
    sys.stdout.write(report.text())
    for path, content in ((options.json, report.to_json), (options.html, lambda: html(report))):
        if path is not None:
            _write(path, content())
    failed = len(report.unexplained) > options.allow or report.stale
    return 130 if interrupted else int(bool(failed))


def recorded(path: Path, digest: str, options: argparse.Namespace) -> Recording:
    """Return the recording of an earlier run with the same inputs, or a new one, which is kept in a file."""
    asked = questions(options.questions)
    if path.is_file():
        of, observations, seconds = pickle.loads(path.read_bytes())  # noqa: S301 - this command wrote it
        if of == digest:
            return Recording(asked, observations, seconds)
    recording = record(asked, options.jobs)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps((digest, recording.observations, recording.seconds)))
    return recording


def _write(path: Path, content: Any) -> None:
    """Write a page, or a value as JSON, into a file; missing folders are created."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content if isinstance(content, str) else json.dumps(content, indent=1) + "\n")


def _partial(options: argparse.Namespace) -> bool:
    return bool(options.only != "*" or options.questions != "*")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m conformance.measurement.operators",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="Number of processes.")
    parser.add_argument("--sample", type=int, metavar="N", help="Run N random mutants only.")
    parser.add_argument("--seed", type=int, default=0, help="Random seed of the sample (default: 0).")
    parser.add_argument(
        "--only",
        default="*",
        metavar="PATTERN",
        help="Run only mutants whose place, module:function, matches.",
    )
    parser.add_argument(
        "--questions",
        default="*",
        metavar="PATTERN",
        help="Ask only questions whose name, check-vector, matches.",
    )
    parser.add_argument(
        "--results",
        type=Path,
        default=DEFAULT_RESULTS,
        help=f"File of results, which a run continues (default: {DEFAULT_RESULTS}).",
    )
    parser.add_argument(
        "--limit",
        type=float,
        default=LIMIT,
        metavar="SECONDS",
        help=f"Maximum processor time of the reference for the questions to one mutant (default: {LIMIT:g}).",
    )
    parser.add_argument(
        "--allow",
        type=int,
        default=0,
        metavar="N",
        help="Maximum number of survivors without a reason (default: 0).",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="Write the report as JSON.")
    parser.add_argument("--html", type=Path, metavar="FILE", help="Write the report as a page.")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
