"""The matrix products of WebGPU against reading the same bytes: python -m benchmarks.webgpu_products.

For each matrix of a 7B (and a larger one) it prints the time of the kernel that the planner chooses, the
bytes per second, and the ratio to a kernel that only reads the same bytes. Passes alternate, and the best
counts.
--all prints every kernel for every matrix: the measurement for llq_format/webgpu/planning/tiles.py.
"""

import argparse
from collections.abc import Mapping

from benchmarks.product_bench import ProductBench, Work
from benchmarks.timing import report
from llq_format.format.layout import Dtype, ceil_div
from llq_format.metadata.metadata import TensorEntry
from llq_format.webgpu.planning.tiles import RAW_ROWS, TILES, Tile, matmul_tile, matvec_tile

MATRICES = (
    (32768, 16384),
    (22016, 4096),
    (12288, 4096),
    (11008, 4096),
    (4096, 11008),
    (4096, 4096),
    (4096, 2048),
)
HEADS = (32000, 4096), (128256, 2048)
SMALL_MATRICES = (960, 576), (576, 576), (3072, 576), (576, 1536)
SMALL_HEADS = ((49152, 576),)
ROUNDS = 5


def _matrix(rows: int, cols: int) -> TensorEntry:
    dtype: Dtype = "int4_affine"
    return TensorEntry("weight", dtype, (rows, cols), ())


def _turns(bench: ProductBench, works: Mapping[str, tuple[Work, int]]) -> dict[str, float]:
    """Return the best time of each in microseconds; they take turns, since clocks change."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(ROUNDS):
        for name, (work, runs) in works.items():
            best[name] = min(best[name], bench.microseconds(work, runs))
    return best


def _vectors(bench: ProductBench, rows: int, cols: int, tiles: list[Tile]) -> dict[str, float]:
    """Print a matrix's times with one vector and return each kernel's share of the speed of reading."""
    size = ceil_div(rows, 64) * ceil_div(cols, 64) * 2048
    runs = max(8, min(200, (1 << 31) // size)) if bench.buffer_bytes == 128 << 20 else 8
    works = {tile.entry_point: bench.product(tile.entry_point, rows, cols, (tile.rows, 1)) for tile in tiles}
    reads = {f"read {steps}": bench.raw_read(size, steps) for steps in (1, 2, 4, 8)}
    best = _turns(bench, {name: (work, runs) for name, work in {**works, **reads}.items()})
    reading = min(best[name] for name in reads)
    for name in works:
        print(
            f"{rows:6} x {cols:5} {name:22} {best[name]:8.2f} us {size / best[name] / 1e3:6.0f} GB/s, "
            f"read {reading:7.2f} us {size / reading / 1e3:6.0f} GB/s: {100 * reading / best[name]:3.0f} %",
            flush=True,
        )
    return {name: best[name] for name in works} | {"share": max(reading / best[name] for name in works)}


def _chunks(bench: ProductBench, rows: int, cols: int, tiles: list[Tile], tokens: int) -> float:
    """Print a matrix's times with a chunk of vectors and return the best speed, in 10^12 operations/s."""
    works = {
        tile.entry_point: (bench.product(tile.entry_point, rows, cols, (tile.rows, tile.tokens), tokens), 20)
        for tile in tiles
    }
    best = _turns(bench, works)
    for name, time in best.items():
        speed = 2 * tokens * rows * cols / time / 1e6
        print(f"{rows:6} x {cols:5} {name:22} {time:8.1f} us {speed:6.1f} TOPS, {tokens} tokens", flush=True)
    return 2 * tokens * rows * cols / min(best.values()) / 1e6


def _raw_heads(bench: ProductBench, heads: tuple[tuple[int, int], ...]) -> None:
    for rows, cols in heads:
        part = min(rows, bench.buffer_bytes // (2 * cols))  # the planner cuts the rest into other dispatches
        size = part * cols * 2
        runs = 24 if bench.buffer_bytes == 128 << 20 else 4
        best = _turns(
            bench,
            {
                "matvec_raw": (bench.raw_product(part, cols, RAW_ROWS), runs),
                "read": (bench.raw_read(size // 32768 * 32768, 8), runs),
            },
        )
        print(
            f"{rows:6} x {cols:5} matvec_raw, {part} rows      {best['matvec_raw']:8.2f} us "
            f"{size / best['matvec_raw'] / 1e3:6.0f} GB/s: {100 * best['read'] / best['matvec_raw']:3.0f} %",
            flush=True,
        )


def _chosen(start: str, tile: Tile, *, all_tiles: bool) -> list[Tile]:
    return [candidate for name, candidate in TILES.items() if name.startswith(start)] if all_tiles else [tile]


def main() -> int:
    """Measure, and return 1 where a figure to reach is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--adapter", help="Part of an adapter's name.")
    parser.add_argument("--variant", default="packed-dot", help="Variant of the module.")
    parser.add_argument("--pool", type=int, default=512, help="MiB of weights to take in turns.")
    parser.add_argument("--small", action="store_true", help="The matrices of SmolLM2-135M.")
    parser.add_argument("--all", action="store_true", dest="every", help="Every kernel for each.")
    parser.add_argument("--tokens", type=int, default=128, help="Vectors of a chunk.")
    options = parser.parse_args()
    bench = ProductBench(options.adapter, options.variant, options.pool)
    print(f"{bench.name}, variant {options.variant}, {options.pool} MiB of weights in turns")
    matrices = SMALL_MATRICES if options.small else MATRICES
    timings: dict[tuple[int, int], dict[str, float]] = {}
    for rows, cols in matrices:
        tile = matvec_tile("int8", _matrix(rows, cols))
        timings[rows, cols] = _vectors(
            bench, rows, cols, _chosen("matvec_int8", tile, all_tiles=options.every)
        )
    _raw_heads(bench, SMALL_HEADS if options.small else HEADS)
    for rows, cols in (*matrices[1:], *(() if options.small else HEADS[:1])):
        tile = matvec_tile("binary16", _matrix(rows, cols))
        _vectors(bench, rows, cols, _chosen("matvec_binary16", tile, all_tiles=options.every))
    speeds = []
    for rows, cols in matrices[1:]:
        tile = matmul_tile("int8", _matrix(rows, cols))
        speeds.append(
            _chunks(bench, rows, cols, _chosen("matmul_int8", tile, all_tiles=options.every), options.tokens)
        )
    for rows, cols in matrices[1:3]:
        _chunks(bench, rows, cols, [TILES["matmul_binary16"]], options.tokens)
    if options.small:
        return 0
    largest, small = timings[32768, 16384], timings[11008, 4096]
    share, time = largest["share"], min(t for name, t in small.items() if name != "share")
    reached = [
        report("INT4 matvec 32768 x 16384, share of reading", share, "0.89", good=share >= 0.89),
        report("INT4 matvec 11008 x 4096, us", time, "11", good=time <= 11),
        report("INT4 matmul, slowest of the 7B's, TOPS", min(speeds[:5]), "27", good=min(speeds[:5]) >= 27),
    ]
    return 0 if all(reached) else 1


if __name__ == "__main__":
    raise SystemExit(main())
