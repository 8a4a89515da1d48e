"""Mutants of the JavaScript runtime: `python -m conformance.measurement.javascript_mutants`.

`web/mutation/list.mjs` lists the mutants. Each runs in Deno, in a copy of `web/`: first the unit tests, then
the vectors of `tokenize`, `sample` and `api`, until one of them kills it. Results are appended to a file. A
later run goes on where the last one ended. `--sample N --seed S` tests a sample. `web/mutation/legal.json`
has the reasons for survivors that no test can kill.
"""

import argparse
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..checks import CHECKS
from ..core.check import Check, Outcome
from ..core.data import data
from ..core.vectors import Vector, load
from ..diagnosis import recognition
from ..runtimes.javascript.base import JavaScriptRuntime
from ..runtimes.javascript.deno import FLAGS

AREAS = ("text", "api", "net", "package")
CAPABILITIES = ("tokenize", "sample", "adjust", "api")
TESTS = ("text", "api", "net", "package")
"""Folders of unit tests; the folder of a mutant's own area comes first."""

COPIED = ("src", "harness", "node", "test", "index.js", "package.json")
LINKED = ("vectors", "spec")
UNIT_TIMEOUT = 60
ANSWER_TIMEOUT = 60
DENO = ("deno", "test", "--quiet", "--no-check", "--no-lock", "--no-prompt", "--node-modules-dir=manual")

Mutant = dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: `by` is the test or question that killed it, empty for a survivor."""

    id: str
    area: str
    operator: str
    by: str
    seconds: float


class Tree:
    """A copy of `web/`, in which one file at a time is mutated."""

    def __init__(self, directory: Path) -> None:
        """Copy the sources; packages of npm, vectors and specification are links."""
        source = data("web")
        self.web = directory / "web"
        self.web.mkdir()
        for name in COPIED:
            copy = shutil.copytree if (source / name).is_dir() else shutil.copy
            copy(source / name, self.web / name)
        (self.web / "node_modules").symlink_to(source / "node_modules")
        for name in LINKED:
            (directory / name).symlink_to(data(name))
        self._source = source
        self._passing = [name for folder in TESTS for name in self._tests(folder) if self._passes(name)]

    def mutate(self, mutant: Mutant) -> None:
        """Write the mutant's change; positions count UTF-16 code units."""
        units = (self._source / mutant["file"]).read_text("utf-8").encode("utf-16-le")
        start, end = 2 * mutant["start"], 2 * mutant["end"]
        mutated = units[:start] + mutant["after"].encode("utf-16-le") + units[end:]
        (self.web / mutant["file"]).write_text(mutated.decode("utf-16-le"), "utf-8")

    def restore(self, mutant: Mutant) -> None:
        """Undo the mutant's change."""
        shutil.copy(self._source / mutant["file"], self.web / mutant["file"])

    def failing_test(self, area: str) -> str:
        """Return the first file of unit tests that fails, or an empty text."""
        ordered = sorted(self._passing, key=lambda name: f"/{area}/" not in f"/{name}")
        return next((name for name in ordered if not self._passes(name)), "")

    def _tests(self, folder: str) -> list[str]:
        return sorted(str(p.relative_to(self.web)) for p in (self.web / "test" / folder).glob("*.test.mjs"))

    def _passes(self, name: str) -> bool:
        try:
            process = subprocess.run(  # noqa: S603 - our own tests
                [*DENO, "--allow-all", name],
                cwd=self.web,
                capture_output=True,
                timeout=UNIT_TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return process.returncode == 0


def mutants() -> list[Mutant]:
    """Return all mutants of `web/src/`, in the order of files."""
    words = [
        *DENO[:1],
        "run",
        "--quiet",
        "--no-lock",
        "--node-modules-dir=manual",
        "--allow-read",
        "--allow-env",
    ]
    process = subprocess.run(  # noqa: S603 - our own program
        [*words, str(data("web") / "mutation" / "list.mjs"), *AREAS],
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in process.stdout.splitlines()]


def questions() -> list[tuple[Check, Vector]]:
    """Return the questions, those with a shared model before those that load another."""
    asked = [
        (c, v) for name in CAPABILITIES for c in CHECKS if c.name == name for v in load() if c.concerns(v)
    ]
    return sorted(
        asked, key=lambda question: "share" not in _first_step(question[1]) and question[0].name == "api"
    )


def _first_step(vector: Vector) -> dict[str, Any]:
    steps: list[dict[str, Any]] = vector.members.get("steps", [{}])
    return steps[0]


def killing_question(tree: Tree, deadline: float) -> str:
    """Return the first question that a mutated runtime does not pass, or an empty text."""
    command = shlex.join(["deno", "run", *FLAGS, str(tree.web / "node" / "adapter.mjs")])
    runtime = JavaScriptRuntime(command, ANSWER_TIMEOUT)
    try:
        with tempfile.TemporaryDirectory() as workspace, recognition.silent():
            for check, vector in questions():
                if time.monotonic() > deadline:
                    return ""
                if check(runtime, vector, Path(workspace)).outcome is not Outcome.PASSED:
                    return f"{check.name}-{vector.id}"
    finally:
        runtime.close()
    return ""


def run(tree: Tree, mutant: Mutant, limit: float) -> Verdict:
    """Return the verdict on one mutant; questions end after `limit` seconds."""
    begin = time.monotonic()
    tree.mutate(mutant)
    try:
        by = tree.failing_test(mutant["area"]) or killing_question(tree, begin + limit)
    finally:
        tree.restore(mutant)
    return Verdict(mutant["id"], mutant["area"], mutant["operator"], by, round(time.monotonic() - begin, 2))


def verdicts(file: Path) -> dict[str, Verdict]:
    """Return the verdicts of earlier runs, by the ids of mutants."""
    lines = file.read_text("utf-8").splitlines() if file.is_file() else []
    return {verdict.id: verdict for verdict in (Verdict(**json.loads(line)) for line in lines)}


def legal() -> dict[str, str]:
    """Return why some survivors are legal, by the ids of mutants."""
    reasons: dict[str, str] = json.loads((data("web") / "mutation" / "legal.json").read_text("utf-8"))
    return reasons


def summary(found: Sequence[Verdict]) -> Iterator[str]:
    """Yield the counts by area and operator, then the survivors without a reason."""
    reasons = legal()
    for member in ("area", "operator"):
        made = Counter(getattr(verdict, member) for verdict in found)
        killed = Counter(getattr(verdict, member) for verdict in found if verdict.by)
        yield from (f"{name:20} {killed[name]:5} of {made[name]:5} killed" for name in sorted(made))
    survivors = [verdict.id for verdict in found if not verdict.by]
    open_ = [name for name in survivors if name not in reasons]
    yield f"{len(found)} mutants, {len(survivors)} survive, {len(survivors) - len(open_)} of these are legal"
    yield from (f"survives: {name}" for name in open_)


def main(arguments: Sequence[str] | None = None) -> int:
    """Test mutants and print the counts; return exit status 1 if a survivor has no reason."""
    parser = argparse.ArgumentParser(
        prog="python -m conformance.measurement.javascript_mutants", description=__doc__
    )
    parser.add_argument("--sample", type=int, help="Number of mutants to test (default: all).")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the sample.")
    parser.add_argument(
        "--area", choices=AREAS, action="append", help="Folders of web/src to change (default: all)."
    )
    parser.add_argument(
        "--limit", type=float, default=300, help="Time limit of the questions of a mutant, in s."
    )
    parser.add_argument(
        "--results", type=Path, default=Path("build", "mutants-web.jsonl"), help="File of results."
    )
    options = parser.parse_args(arguments)
    chosen = [mutant for mutant in mutants() if mutant["area"] in (options.area or AREAS)]
    if options.sample is not None:
        chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))  # noqa: S311
    known = verdicts(options.results)
    options.results.parent.mkdir(parents=True, exist_ok=True)
    os.environ["NO_COLOR"] = "1"
    with tempfile.TemporaryDirectory() as directory, options.results.open("a", encoding="utf-8") as results:
        tree = Tree(Path(directory))
        for number, mutant in enumerate(chosen, 1):
            if mutant["id"] not in known:
                verdict = known[mutant["id"]] = run(tree, mutant, options.limit)
                results.write(json.dumps(asdict(verdict), ensure_ascii=False) + "\n")
                results.flush()
                sys.stderr.write(f"{number}/{len(chosen)} {verdict.by or 'SURVIVES'} ({verdict.id[:90]})\n")
    found = [known[mutant["id"]] for mutant in chosen]
    sys.stdout.writelines(f"{line}\n" for line in summary(found))
    return 1 if any(not verdict.by and verdict.id not in legal() for verdict in found) else 0


if __name__ == "__main__":
    sys.exit(main())
