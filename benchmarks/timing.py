"""How the benchmarks measure: the best of several runs, which alternate between the candidates."""

import resource
import sys
import time
from collections.abc import Callable, Mapping


def best_of(runs: int, candidates: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Return the shortest time of each candidate, in seconds; they alternate, so drift affects all."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(runs):
        for name, candidate in candidates.items():
            start = time.perf_counter()
            candidate()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def peak_of_children_mb() -> float:
    """Return the largest resident memory of any finished child process, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit / 1e6


def report(label: str, ratio: float, bound: str, *, good: bool) -> bool:
    """Print a ratio with its goal, and return whether it reaches the goal."""
    print(f"{label:58} {ratio:8.2f}   to reach {bound:18} {'reached' if good else 'MISSED'}")
    return good
