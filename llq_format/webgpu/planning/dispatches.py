"""The dispatches of passes: a kernel with its bindings and parameters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from llq_format.format.layout import BLOCK, ceil_div
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import FFN
from llq_format.webgpu.planning.program import Dimension, Dispatch, Grid, PerTokens, ShardRange
from llq_format.webgpu.planning.ranges import MAX_BINDING, Int4Range, int4_ranges, raw_ranges
from llq_format.webgpu.planning.tiles import BIAS_ROWS, RAW_ROWS, matmul_tile, matvec_tile

Form = Literal["int8", "binary16"]
"""Roundings of the inputs of a product."""

ROUNDED: Mapping[Form, tuple[str, ...]] = {
    "int8": ("codes", "sums", "scales"),
    "binary16": ("rounded", "rounded_sums"),
}
"""The buffers of a rounded input."""

EACH_TOKEN = PerTokens(1)
"""A grid dimension of one workgroup per token."""

# Flags of parameters, as chapter WGSL module lists them.
NORMALIZE, WEIGHT_F16, SCORED, LAST = 1, 2, 4, 8
GATED, GELU = 1, 2
SYMMETRIC, ADD, CHOSEN, GATED_GELU = 1, 2, 4, 8
ROUTER_F16 = 16
Q_WEIGHT_F16, K_WEIGHT_F16 = 1, 2


@dataclass
class Parameters:
    """The slots of the parameter arena; equal slots are shared."""

    slots: dict[tuple[int | float, ...], int] = field(default_factory=dict)

    def slot(self, words: tuple[int | float, ...]) -> int:
        """Return the number of the slot that holds these words."""
        # 1 and 1.0 are equal in Python and differ as bits
        key = tuple(("f32", word) if isinstance(word, float) else word for word in words)
        return self.slots.setdefault(key, len(self.slots))  # type: ignore[arg-type]

    def table(self) -> tuple[tuple[int | float, ...], ...]:
        """Return the words of all slots."""
        return tuple(
            tuple(word[1] if isinstance(word, tuple) else word for word in slot) for slot in self.slots
        )


class Dispatches:
    """A factory of dispatches of one package, which records their weights and parameters."""

    def __init__(self, metadata: Metadata | None, blocks_stride: int) -> None:
        """Start without weights; blocks_stride: blocks of the widest vector that is rounded."""
        self.tensors = {tensor.name: tensor for tensor in metadata.tensors} if metadata else {}
        self.blocks_stride = blocks_stride
        self.weights: dict[str, ShardRange] = {}
        self.parameters = Parameters()

    def norm(  # noqa: PLR0913  # one argument for each property of the norm
        self, name: str, form: Form, eps: float, tokens: int, *, scored: bool = False, last: bool = False
    ) -> Dispatch:
        """Return a norm and rounding; scored: times the router's score; last: of the last token alone."""
        tensor = self.tensors[name]
        (row_range,) = raw_ranges(tensor, MAX_BINDING)
        flags = NORMALIZE | (tensor.dtype == "f16") * WEIGHT_F16 | scored * SCORED | last * LAST
        hidden = tensor.rows
        return self.dispatch(
            name + ".scored" * scored,
            f"norm_{form}",
            ("x", self.weight(name, row_range.data), "score", "state", *ROUNDED[form]),
            (hidden, hidden, self.blocks_stride, flags, float(eps)),
            (1 if last else EACH_TOKEN, shares(hidden, tokens), 1),
        )

    def bias(self, name: str, y: str, y_stride: int) -> Iterator[Dispatch]:
        """Yield the dispatches that add a raw vector to the rows of y, one for each range of the vector."""
        tensor = self.tensors[name]
        for row_range in raw_ranges(tensor, BIAS_ROWS):
            bindings = (self.weight(row_range.name, row_range.data), y)
            parameters = (row_range.rows, row_range.first_row, y_stride, int(tensor.dtype == "f16"))
            grid = (ceil_div(row_range.rows, BIAS_ROWS), EACH_TOKEN, 1)
            yield self.dispatch(row_range.name, "add_bias", bindings, parameters, grid)

    def head_norm(self, prefix: str, y: str, heads: tuple[int, int, int], eps: float) -> Dispatch:
        """Return the weighted norm of the query and key heads of y.

        heads: num_heads, num_kv_heads and head_dim.
        """
        weights, flags = [], 0
        for flag, name in ((Q_WEIGHT_F16, f"{prefix}.q_norm"), (K_WEIGHT_F16, f"{prefix}.k_norm")):
            tensor = self.tensors[name]
            (row_range,) = raw_ranges(tensor, MAX_BINDING)
            weights.append(self.weight(name, row_range.data))
            flags |= (tensor.dtype == "f16") * flag
        num_heads, num_kv_heads, head_dim = heads
        parameters = (num_heads, num_kv_heads, head_dim, flags, float(eps))
        grid = (num_heads + num_kv_heads, EACH_TOKEN, 1)
        return self.dispatch(f"{prefix}.weighted_norm", "head_norm", (*weights, y), parameters, grid)

    def activate(  # noqa: PLR0913, PLR0917  # one argument for each property of the activation
        self, label: str, config: FFN, source: str, rows: int, form: Form, tokens: int
    ) -> Dispatch:
        """Return the rounded activation of the rows of gate_up or up."""
        flags = config.gated * GATED | (config.activation == "gelu") * GELU
        size = rows // 2 if config.gated else rows
        return self.dispatch(
            label,
            f"activate_{form}",
            (source, *ROUNDED[form]),
            (size, rows, self.blocks_stride, flags),
            (EACH_TOKEN, shares(size, tokens), 1),
        )

    def route(self, norm: str, router: str, eps: float) -> Dispatch:
        """Return the selection of an expert for each token."""
        weight, matrix = self.tensors[norm], self.tensors[router]
        (norm_range,), (router_range,) = raw_ranges(weight, MAX_BINDING), raw_ranges(matrix, MAX_BINDING)
        flags = (weight.dtype == "f16") * WEIGHT_F16 | (matrix.dtype == "f16") * ROUTER_F16
        num_experts, hidden = matrix.rows, matrix.cols
        return self.dispatch(
            router,
            "route",
            (
                "x",
                self.weight(norm, norm_range.data),
                self.weight(router, router_range.data),
                "choice",
                "score",
            ),
            (hidden, hidden, num_experts, flags, float(eps)),
            (EACH_TOKEN, 1, 1),
        )

    def int4(  # noqa: PLR0913  # one argument for each property of a product
        self,
        name: str,
        form: Form,
        y: str,
        y_stride: int,
        tokens: int,
        *,
        add: bool = False,
        expert: int | None = None,
        single_vector: bool = False,
    ) -> Iterator[Dispatch]:
        """Yield the dispatches of one INT4 product, one for each range of its rows.

        tokens: the maximum number of vectors; single_vector: there is one vector for any chunk.
        """
        tensor = self.tensors[name]
        # A mixture selects an expert per token, so each token is multiplied separately.
        tile = matvec_tile(form, tensor) if tokens == 1 or expert is not None else matmul_tile(form, tensor)
        flags = (tensor.dtype == "int4_symmetric") * SYMMETRIC | add * ADD | (expert is not None) * CHOSEN
        blocks = ceil_div(tensor.cols, BLOCK)
        third = "choice" if tile.tokens == 1 else "state"
        for row_range in int4_ranges(tensor, tile.rows):
            yield self.dispatch(
                row_range.name,
                tile.entry_point,
                (*self.int4_weights(row_range), *ROUNDED[form], third, y),
                (
                    row_range.rows,
                    blocks,
                    row_range.first_row,
                    row_range.first_block,
                    y_stride,
                    self.blocks_stride,
                    flags,
                    expert or 0,
                ),
                (ceil_div(row_range.rows, tile.rows), 1 if single_vector else PerTokens(tile.tokens), 1),
            )

    def raw(self, name: str, y: str, y_stride: int, tokens: Dimension) -> Iterator[Dispatch]:
        """Yield the dispatches of one product of a raw matrix with binary16 inputs."""
        tensor = self.tensors[name]
        for row_range in raw_ranges(tensor, RAW_ROWS):
            parameters = (
                row_range.rows,
                tensor.cols,
                row_range.first_row,
                y_stride,
                self.blocks_stride * BLOCK,
                int(tensor.dtype == "f16"),
            )
            bindings = (self.weight(row_range.name, row_range.data), "rounded", y)
            grid = (ceil_div(row_range.rows, RAW_ROWS), tokens, 1)
            yield self.dispatch(f"{row_range.name}.product", "matvec_raw", bindings, parameters, grid)

    def int4_weights(self, row_range: Int4Range) -> tuple[str, str, str]:
        """Name the sections of a range: packed, scale, and zero_point (or scale again without one)."""
        scale = self.weight(f"{row_range.name}.scale", row_range.scale)
        zero_point = scale
        if row_range.zero_point is not None:
            zero_point = self.weight(f"{row_range.name}.zero_point", row_range.zero_point)
        return self.weight(f"{row_range.name}.packed", row_range.packed), scale, zero_point

    def weight(self, name: str, shard_range: ShardRange) -> str:
        """Name a range of a shard, and return the name."""
        if self.weights.setdefault(name, shard_range) != shard_range:
            raise ValueError(f"two ranges have the name {name!r}")
        return name

    def dispatch(
        self,
        label: str,
        entry_point: str,
        bindings: tuple[str, ...],
        parameters: tuple[int | float, ...],
        grid: Grid,
    ) -> Dispatch:
        """Return a dispatch with a parameter slot of its own words."""
        return Dispatch(label, entry_point, bindings, self.parameters.slot(parameters), grid)


def shares(cols: int, tokens: int) -> int:
    """Return the number of workgroups that share the rounding of a vector."""
    return ceil_div(cols, 16 * BLOCK) if tokens == 1 else 1
