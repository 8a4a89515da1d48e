"""`python -m tests.fuzzing`: run a campaign, or read a kept package again."""

import argparse
import json
import secrets
import sys
import time
from pathlib import Path

from tests.fuzzing.campaign import Campaign, Counts
from tests.fuzzing.corpus import Corpus
from tests.fuzzing.package import load
from tests.fuzzing.readers.panel import NAMES, Panel
from tests.support.repository import ROOT

_PLACE = ROOT / "build" / "fuzzing"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing",
        description="Mutate packages, and compare what Python, JavaScript and the kit's reader say of each.",
        epilog="Exit status: 0 if the readers agree, 1 if they disagree.",
    )
    parser.add_argument(
        "--executions", type=int, default=20_000, metavar="N", help="Number of packages to read."
    )
    parser.add_argument("--seed", type=int, help="Seed of the mutations; by default another one in each run.")
    parser.add_argument(
        "--directory", type=Path, default=_PLACE, help="Directory for the corpus and disagreements."
    )
    parser.add_argument("--json", action="store_true", help="Print the counts as JSON.")
    parser.add_argument(
        "--read", type=Path, metavar="DIR", help="Read one package again, and print the verdicts."
    )
    return parser


class _Progress:
    """A line on standard error that is renewed on a terminal, and written once a minute elsewhere."""

    def __init__(self) -> None:
        self._terminal, self._last = sys.stderr.isatty(), time.monotonic()

    def __call__(self, counts: Counts, corpus: Corpus) -> None:
        if time.monotonic() - self._last < (0.5 if self._terminal else 60):
            return
        self._last = time.monotonic()
        rate = counts.executions / counts.seconds if counts.seconds else 0
        disagreements = sum(counts.disagreements.values())
        line = (
            f"{counts.executions:,} executions, {rate:.0f}/s, {len(corpus):,} packages, "
            f"{corpus.behaviours:,} behaviours, {disagreements} disagreements"
        )
        end = "\r" if self._terminal else "\n"
        print(line, end=end, file=sys.stderr, flush=True)


def _read(directory: Path) -> int:
    with Panel() as panel:
        verdicts = panel.read([load(directory)])[0]
    for name, verdict in zip(NAMES, verdicts.of_readers, strict=True):
        print(f"{name:10} {verdict}")
    return 0 if verdicts.agree else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = _parser().parse_args(arguments)
    if options.read is not None:
        return _read(options.read)
    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 32)
    print(f"seed {seed}", file=sys.stderr, flush=True)
    campaign = Campaign(options.directory, seed)
    try:
        campaign.run(options.executions, _Progress())
    except KeyboardInterrupt:
        print("interrupted: the next campaign goes on with this corpus", file=sys.stderr)
    _print(campaign, seed, as_json=options.json)
    return 1 if campaign.counts.disagreements else 0


def _print(campaign: Campaign, seed: int, *, as_json: bool) -> None:
    counts = campaign.counts
    if as_json:
        result = {"seed": seed, "total_executions": campaign.total, **counts.to_json()}
        print(json.dumps(result, indent=1))
        return
    rate = counts.executions / counts.seconds if counts.seconds else 0
    lines = [
        f"{counts.executions:,} executions in {counts.seconds:.0f} s ({rate:.0f}/s)",
        f"{campaign.total:,} executions in all campaigns of {campaign.directory}",
        f"{counts.valid:,} packages conform, the others have {len(counts.first_errors)} first errors",
    ]
    for key, count in counts.disagreements.most_common():
        verdicts = ", ".join(f"{name}: {verdict}" for name, verdict in zip(NAMES, key, strict=True))
        lines.append(f"disagreement in {count:,} packages: {verdicts}")
    if counts.disagreements:
        lines.append(f"smallest packages: {campaign.directory}/disagreements")
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
