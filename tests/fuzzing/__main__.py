"""`python -m tests.fuzzing`: run a campaign, of packages or of one reader, or read a kept input again."""

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
from tests.fuzzing.targets.all_targets import TARGETS
from tests.fuzzing.targets.run import Result, TargetCampaign
from tests.support.repository import ROOT

_PLACE = ROOT / "build" / "fuzzing"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzzing",
        description="Mutate packages, and compare what Python, JavaScript and the kit's reader say of each.",
        epilog="Exit status: 0 if the readers agree, 1 if they disagree or if a target fails.",
    )
    parser.add_argument(
        "--target",
        choices=(*TARGETS, "all"),
        metavar="NAME",
        help=f"Reader to test alone, in place of the comparison: {', '.join(TARGETS)}, or all. "
        "A run with the same --seed continues.",
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


def _run_targets(options: argparse.Namespace) -> int:
    """Run campaigns of targets, print what they saw, and return the exit status."""
    names = list(TARGETS) if options.target == "all" else [options.target]
    results: dict[str, Result] = {}
    for name in names:
        campaign = TargetCampaign(TARGETS[name], options.directory / "targets", options.seed or 0)
        result = results[name] = campaign.run(options.executions)
        if not options.json:
            counts = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(result.outcomes.items()))
            print(f"{name}: {counts}; {campaign.next:,} in all runs of seed {campaign.seed}", flush=True)
            for outcome, place in result.failures.items():
                print(f"  {outcome}\n  input: {place}")
    if options.json:
        print(json.dumps({name: result.to_json() for name, result in results.items()}, indent=1))
    return int(any(result.failures for result in results.values()))


def main(arguments: list[str] | None = None) -> int:
    """Run the command, and return its exit status."""
    options = _parser().parse_args(arguments)
    if options.target is not None:
        return _run_targets(options)
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
