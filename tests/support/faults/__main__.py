"""All faults: `python -m tests.support.faults [--sample N --seed S]`; prints what is wrong, and counts."""

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from tests.llq_format.cli.test_export import write_checkpoint
from tests.support.faults.injector import compiler, injector


def inputs(folder: Path) -> tuple[Path, Path]:
    """Write a checkpoint of one layer and a file of token ids."""
    np.save(folder / "ids.npy", np.random.default_rng(3).integers(0, 64, 40))
    return write_checkpoint(folder / "checkpoint"), folder / "ids.npy"


def main() -> int:
    """Inject the faults and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.faults")
    parser.add_argument("--sample", type=int, help="number of faults (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    options = parser.parse_args()
    if compiler() is None:
        print("skipped: needs Linux and a C compiler, to build the library of faults")
        return 0
    counts: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as name, injector(Path(name), *inputs(Path(name))) as faulty:
        faults = faulty.faults()
        if options.sample is not None:
            faults = random.Random(options.seed).sample(faults, options.sample)  # noqa: S311  # a sample
        for fault in faults:
            counts[f"{fault.command.name}, {'over a package' if fault.command.old else 'new'}"] += 1
            for problem in faulty.inject(fault):
                wrong += 1
                print(f"{fault}: {problem}", flush=True)
    for command, count in counts.items():
        print(f"{count:6}  {command}")
    print(f"{counts.total():6}  faults, {wrong} problems")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
