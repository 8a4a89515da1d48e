"""Peak memory of `llq export` against the largest float32 tensor: `python -m benchmarks.export CHECKPOINT`.

Exit code 1 if the target is missed.
"""

import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import llq_format
from benchmarks.timing import peak_of_children_mb, report

_EXPORT = "import sys; from llq_format.cli import main; sys.argv[0] = 'llq'; main()"


def main(checkpoint: str) -> bool:
    """Measure, print and return whether the target is reached."""
    with tempfile.TemporaryDirectory() as temporary:
        package = Path(temporary) / "package"
        start = time.perf_counter()
        command = [sys.executable, "-c", _EXPORT, "export", checkpoint, str(package), "--method", "rtn"]
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - start
        tensors = llq_format.open(package).metadata.tensors
    largest = 4 * max(math.prod(tensor.shape) for tensor in tensors) / 1e6
    weights = sum(math.prod(tensor.shape) for tensor in tensors)
    peak = peak_of_children_mb()
    print(f"{weights / 1e6:.0f} M weights in {seconds:.1f} s; largest float32 tensor {largest:.0f} MB")
    bound = 1.5 * largest + 300
    return report("peak memory of llq export, MB", peak, f"at most {bound:.0f}", good=peak <= bound)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.export CHECKPOINT")
    sys.exit(0 if main(sys.argv[1]) else 1)
