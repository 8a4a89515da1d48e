"""Taps: where a program leaves the results of single operations, for traces of its execution."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from llq_format.format.layout import BLOCK
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Model
from llq_format.webgpu.planning.program import Dispatch, Program

TAPPED_PASSES = ("prefill", "logits", "decode")
"""The passes that compute all positions of a sequence."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A result in a buffer, a row for each token, after a dispatch.

    name: the name that conformance/TRACE.md lists. shape: of one row. type: of the buffer's elements; `int8`
    are codes in the order of the kernels. stride: elements from row to row.
    """

    name: str
    buffer: str
    type: Literal["f32", "f16", "u32", "int8"]
    shape: tuple[int, ...]
    stride: int


def taps(program: Program, metadata: Metadata) -> dict[str, list[tuple[int, list[Tap]]]]:
    """Return for each pass the indices of dispatches after which results are complete, with their taps."""
    assert isinstance(metadata.model, Model)  # noqa: S101  # the program has been planned for it
    tapper = _Tapper(program, metadata, metadata.model)
    return {name: list(tapper.of_pass(program.passes[name])) for name in TAPPED_PASSES}


def cache_taps(program: Program, metadata: Metadata) -> list[Tap]:
    """Return the taps of the KV cache, a row for each position, after a sequence."""
    model = metadata.model
    assert isinstance(model, Model)  # noqa: S101  # the program has been planned for it
    shape = (model.num_kv_heads, model.head_dim)
    return [
        Tap(
            f"layers.{number}.attention.{kind}",
            f"{kind}.{number}",
            program.kv_cache,
            shape,
            shape[0] * shape[1],
        )
        for number in range(len(model.layers))
        for kind in ("keys", "values")
    ]


def to_json(program: Program, metadata: Metadata) -> dict[str, Any]:
    """Return all taps as the harness of the JavaScript runtime reads them."""
    return {
        "passes": {
            name: [{"after": after, "taps": [asdict(tap) for tap in found]} for after, found in points]
            for name, points in taps(program, metadata).items()
        },
        "caches": [asdict(tap) for tap in cache_taps(program, metadata)],
    }


class _Tapper:
    def __init__(self, program: Program, metadata: Metadata, model: Model) -> None:
        self._program = program
        self._model = model
        self._tensors = sorted((tensor.name for tensor in metadata.tensors), key=len, reverse=True)

    def of_pass(self, dispatches: tuple[Dispatch, ...]) -> Iterator[tuple[int, list[Tap]]]:
        """Yield the points of a pass; several dispatches may compute the rows of one result."""
        found = [list(self._taps(dispatch)) for dispatch in dispatches]
        for number, here in enumerate(found):
            if here and (number + 1 == len(found) or found[number + 1] != here):
                yield number, here

    def _taps(self, dispatch: Dispatch) -> Iterator[Tap]:
        """Yield the results that a dispatch leaves."""
        words, label, model = self._program.parameters[dispatch.parameters], dispatch.label, self._model
        entry_point = dispatch.entry_point
        match entry_point.split("_")[0]:
            case "embed":
                yield _row("embedding", "x", model.hidden_size)
            case "add":
                rows = (model.num_heads + 2 * model.num_kv_heads) * model.head_dim
                yield _row(f"{_layer_of(label)}.attention.biased", "qkv", rows)
            case "head":
                rows = (model.num_heads + 2 * model.num_kv_heads) * model.head_dim
                name = f"{_layer_of(label)}.attention.weighted_norm.q"
                yield Tap(name, "qkv", "f32", (model.num_heads, model.head_dim), rows)
            case "rope":
                name = label.replace("attention.rope", "attention.scaled.q")
                shape = (model.num_heads, model.head_dim)
                yield Tap(name, "q", "f32", shape, model.num_heads * model.head_dim)
            case "route":
                ffn = label.removesuffix(".router")
                yield Tap(f"{ffn}.expert", "choice", "u32", (), 1)
                yield Tap(f"{ffn}.score", "score", "f32", (), 1)
            case "norm" | "activate" | "hidden":
                yield from self._rounded(self._matrix(label), dispatch, int(words[0]))
            case "combine":
                name = label.replace("combine", "output")
                yield from self._rounded(name, dispatch, int(words[0]) * int(words[1]))
            case "gated":
                yield _row(label.replace("gate_up", "hidden"), "hidden", int(words[0]))
            case "matvec" | "matmul":
                yield from self._product(dispatch, int(words[3 if entry_point == "matvec_raw" else 4]))

    def _rounded(self, matrix: str, dispatch: Dispatch, cols: int) -> Iterator[Tap]:
        form = "int8" if "codes" in dispatch.bindings else "binary16"
        stride = self._stride(form)
        if form == "int8":
            yield Tap(f"{matrix}.input", "codes", "int8", (cols,), stride)
            yield Tap(f"{matrix}.scale", "scales", "f32", (), 1)
        else:
            yield Tap(f"{matrix}.input", "rounded", "f32", (cols,), stride)

    def _stride(self, form: str) -> int:
        """Return the elements of a row of a buffer of rounded vectors."""
        buffers, chunk = self._program.buffers, self._program.chunk
        rows = buffers["codes"].bytes if form == "int8" else buffers["rounded"].bytes // 4
        assert rows % (chunk * BLOCK) == 0  # noqa: S101  # the planner has sized them so
        return rows // chunk

    def _matrix(self, label: str) -> str:
        """Return the matrix that takes the rounded vector of a dispatch."""
        if label == "norm":
            return "lm_head"
        if match := re.fullmatch(r"(layers\.\d+)\.attention_norm", label):
            return f"{match[1]}.attention.qkv"
        if match := re.fullmatch(r"layers\.(\d+)\.ffn_norm(\.scored)?", label):
            config = self._model.layers[int(match[1])].ffn
            branch = "" if config.moe is None else ".experts" if match[2] else ".shared"
            return f"layers.{match[1]}.ffn{branch}.{'gate_up' if config.gated else 'up'}"
        return re.sub(r"\.(activate|hidden)$", ".down", label)

    def _product(self, dispatch: Dispatch, rows: int) -> Iterator[Tap]:
        """Yield the result of a product: rows of its own, or the residual stream that it is added to."""
        tensor = next(name for name in self._tensors if dispatch.label.startswith(name))
        y = dispatch.bindings[-1]
        if y in ("logits", "all_logits"):
            yield _row("lm_head", y, rows)
        elif y != "x":
            yield _row(re.sub(r"experts\.\d+", "experts", tensor), y, rows)
        elif ".experts." not in tensor:  # the shared expert is added last
            block = "attention" if tensor.endswith("attention.output") else "ffn"
            yield _row(f"{'.'.join(tensor.split('.')[:2])}.{block}.residual", "x", rows)


def _layer_of(label: str) -> str:
    return ".".join(label.split(".")[:2])


def _row(name: str, buffer: str, cols: int) -> Tap:
    return Tap(name, buffer, "f32", (cols,), cols)
