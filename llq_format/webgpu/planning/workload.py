"""The work of the dispatches of a program: layer, operation, weights read, workgroups."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llq_format.format.sections import item_bytes
from llq_format.webgpu.planning.program import Dispatch, Program

_LAYER = re.compile(r"layers\.(\d+)\.")
_RANGE = re.compile(r"\+\d+")
_EXPERT = re.compile(r"\.experts\.(\d+)\.")
_ITEM_BYTES = {0: 4, 1: 2}  # of the parameter f16
_RECORD_ITEM_BYTES = item_bytes("int4_affine")

FULL_WORKGROUPS = 256
"""Number of workgroups that fills a large device, as the reference of the estimated occupancy."""


@dataclass(frozen=True, slots=True)
class Work:
    """A dispatch for a number of tokens.

    layer: the decoder layer, or None; group: `layers.N`, `embedding`, `head` or `choice`; operation: the
    label without numbers of layers, experts and rows; weight_bytes: bytes of weights to read once.
    """

    dispatch: Dispatch
    layer: int | None
    group: str
    operation: str
    weight_bytes: float
    workgroups: int


def work(program: Program, passes: Iterable[str], tokens: int) -> list[Work]:
    """Return the work of some passes of a model's program, one after another, for a chunk of tokens.

    Of a mixture's experts, tokens / experts of each matrix is counted (all of it at most): a token takes one.
    """
    dispatches = [dispatch for name in passes for dispatch in program.passes[name]]
    experts: defaultdict[int | None, set[str]] = defaultdict(set)
    for dispatch in dispatches:
        if match := _EXPERT.search(dispatch.label):
            experts[layer_of(dispatch.label)].add(match[1])
    works = []
    for dispatch in dispatches:
        layer = layer_of(dispatch.label)
        share = 1.0
        if _EXPERT.search(dispatch.label):
            share = min(1.0, tokens / len(experts[layer]))
        x, y, z = dispatch.grid(tokens)
        bytes_ = share * _weight_bytes(program, dispatch, tokens)
        works.append(
            Work(dispatch, layer, group_of(dispatch), operation_of(dispatch.label), bytes_, x * y * z)
        )
    return works


def layer_of(label: str) -> int | None:
    """Return the decoder layer of a label, or None."""
    match = _LAYER.match(label)
    return int(match[1]) if match else None


def operation_of(label: str) -> str:
    """Return a label without the numbers of layer, expert and first row."""
    return _EXPERT.sub(".experts.", _RANGE.sub("", _LAYER.sub("", label, count=1)))


def occupancy(works: Sequence[Work], times: Sequence[float | None]) -> float:
    """Return the estimate `workgroup_occupancy`, 0 to 1: see `OCCUPANCY`.

    times: of each dispatch; if one is missing, all dispatches have equal weights.
    """
    measured = [time for time in times if time is not None]
    weights = measured if len(measured) == len(works) and sum(measured) > 0 else [1.0] * len(works)
    filled = (min(1.0, dispatch.workgroups / FULL_WORKGROUPS) for dispatch in works)
    return sum(weight * part for weight, part in zip(weights, filled, strict=True)) / sum(weights)


OCCUPANCY = (
    "An estimate of what the program offers the device in one decode step, not a measurement of its compute "
    "units, which WebGPU does not reveal: the mean over all dispatches, each weighted by its time, of "
    "min(1, workgroups / full_workgroups). Without times of single dispatches, all have equal weights."
)
"""Description of `workgroup_occupancy`."""


def group_of(dispatch: Dispatch) -> str:
    """Return the group of a dispatch: `layers.N`, `embedding`, `head` or `choice`."""
    layer = layer_of(dispatch.label)
    if layer is not None:
        return f"layers.{layer}"
    if dispatch.entry_point == "embed":
        return "embedding"
    return "choice" if dispatch.label.startswith("choice.") else "head"


def _weight_bytes(program: Program, dispatch: Dispatch, tokens: int) -> float:
    """Return the bytes that a dispatch reads from its bound ranges of shards."""
    bound = {name: program.weights[name] for name in dispatch.bindings if name in program.weights}
    if dispatch.entry_point == "embed":  # one row per token, from the range that contains it
        _, _, cols, _, f16, *_ = program.parameters[dispatch.parameters]
        size = sum(shard_range.size for shard_range in bound.values())
        ranges = sum(
            program.weights[name].size
            for embed in program.passes["decode"]
            if embed.entry_point == "embed"
            for name in embed.bindings
            if name in program.weights
        )
        return tokens * cols * _ITEM_BYTES[int(f16)] * size / ranges
    total = 0
    for name, shard_range in bound.items():
        tensor, _, section = name.rpartition(".")
        packed = bound.get(f"{tensor}.packed")
        if packed is None or section == "packed":
            total += shard_range.size
        else:  # the complete section is bound, but only the blocks of this range are read
            total += _RECORD_ITEM_BYTES[section] * (packed.size // _RECORD_ITEM_BYTES["packed"])
    return total
