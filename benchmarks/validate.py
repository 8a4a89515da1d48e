"""`llq validate` of a package of about 1 GB against SHA-256 over its files: `python -m benchmarks.validate`.

The package, a llama-3.2-1b of random weights, is made in a temporary directory; `--directory DIR` uses one
that is there. Exit code 1 if a target is missed.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.timing import best_of, peak_of_children_mb, report
from llq_format.synth import synth

_RUNS = 5
_VALIDATE = "import sys; from llq_format.cli import main; sys.argv[0] = 'llq'; main()"


def _hash(directory: Path) -> None:
    for path in sorted(directory.glob("*.llq")):
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def main(directory: Path) -> bool:
    """Measure, print and return whether the targets are reached."""
    size = sum(path.stat().st_size for path in directory.glob("*.llq"))
    command = [sys.executable, "-c", _VALIDATE, "validate", str(directory)]
    best = best_of(
        _RUNS,
        {
            "sha256": lambda: _hash(directory),
            "validate": lambda: subprocess.run(command, check=True, capture_output=True),
        },
    )
    for name, seconds in best.items():
        print(f"{name:10} {seconds:6.2f} s {size / seconds / 1e9:6.2f} GB/s")
    ratio, peak = best["validate"] / best["sha256"], peak_of_children_mb()
    good = report("time of llq validate, over SHA-256 of the shards", ratio, "at most 1.5", good=ratio <= 1.5)
    return report("peak memory of llq validate, MB", peak, "under 300", good=peak < 300) and good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path)
    directory = parser.parse_args().directory
    if directory is not None:
        sys.exit(0 if main(directory) else 1)
    with tempfile.TemporaryDirectory() as temporary:
        synth("llama-3.2-1b", Path(temporary) / "package")
        sys.exit(0 if main(Path(temporary) / "package") else 1)
