"""Stage `payload`: scales, zero points, padding codes and raw values of one part."""

from collections.abc import Iterator

import numpy as np

from llq_format.format.dequantize import LARGEST_WEIGHT, ZERO_POINT_SYMMETRIC, largest_weight
from llq_format.format.layout import BLOCK, BLOCK_BYTES, block_grid
from llq_format.format.packing import outside_mask
from llq_format.format.raw_tensor import RAW_ITEM_BYTES
from llq_format.format.sections import sections
from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata, Part, TensorEntry
from llq_format.metadata.model import INV_FREQ
from llq_format.validation.package_files import PackageFile

SCALE_BITS_MIN, SCALE_BITS_MAX = 0x0400, 0x7BFF  # the positive, normal, finite binary16 values
_EXPONENT_BITS = {"f16": 0x7C00, "f32": 0x7F800000}  # a value with all bits set is not finite
_ONE_IN = {
    "f16": 0x3C00,
    "f32": 0x3F800000,
}  # bits of 1.0; the order of positive values is the order of their bits


def check_blocks(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    """Yield the violations of LLQ-DEQ-1, LLQ-DEQ-2 and LLQ-PACK-1 in one INT4 part."""
    yield from _blocks(tensor, part, file)
    yield from _codes_outside(tensor, part, file)


def _blocks(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    by_name = {section.name: section for section in sections(tensor.dtype, part.num_rows, tensor.cols)}
    scale, zero_point = by_name["scale"], by_name.get("zero_point")

    def scale_of(block: int) -> Place:
        return Place(file=file.name, offset=part.offset + scale.item_offset(block), tensor=tensor.name)

    bits = np.frombuffer(file.read(part.offset + scale.offset, scale.size), f"<u{scale.item_bytes}")
    invalid = np.flatnonzero((bits < SCALE_BITS_MIN) | (bits > SCALE_BITS_MAX))
    if invalid.size:
        b = int(invalid[0])
        bounds = {"minimum": f"{SCALE_BITS_MIN:04X}", "maximum": f"{SCALE_BITS_MAX:04X}"}
        values = {"bits": f"{bits[b]:04X}", "block": b, "blocks": invalid.size, **bounds}
        yield Finding("scale-out-of-range", scale_of(b), values)
    zero_points = None
    if zero_point is not None:
        data = file.read(part.offset + zero_point.offset, zero_point.size)
        zero_points = np.frombuffer(data, zero_point.dtype)
    usable = (bits >= SCALE_BITS_MIN) & (bits <= SCALE_BITS_MAX)
    scales = np.where(usable, bits, np.uint16(SCALE_BITS_MIN)).astype(bits.dtype).view(scale.dtype)
    largest = largest_weight(scales, zero_points)
    invalid = np.flatnonzero(largest > LARGEST_WEIGHT)
    if invalid.size:
        b = int(invalid[0])
        zero = ZERO_POINT_SYMMETRIC if zero_points is None else int(zero_points[b])
        product = {"scale": float(scales[b]), "zero_point": zero, "weight": float(largest[b])}
        limit = {"block": b, "blocks": invalid.size, "maximum": int(LARGEST_WEIGHT)}
        yield Finding("weight-too-large", scale_of(b), product | limit)


def _codes_outside(tensor: TensorEntry, part: Part, file: PackageFile) -> Iterator[Finding]:
    """Yield a finding at the first byte with a code bit outside the matrix; only edge blocks are read."""
    down, across = block_grid(part.num_rows, tensor.cols)
    height, width = part.num_rows - (down - 1) * BLOCK, tensor.cols - (across - 1) * BLOCK
    packed = part.offset + sections(tensor.dtype, part.num_rows, tensor.cols)[-1].offset
    for i in range(down):
        rows = height if i == down - 1 else BLOCK
        if rows == BLOCK and width == BLOCK:
            continue
        first = 0 if rows < BLOCK else across - 1
        start = packed + (i * across + first) * BLOCK_BYTES
        blocks = np.frombuffer(file.read(start, (across - first) * BLOCK_BYTES), np.uint8)
        mask = np.concatenate(
            [np.tile(outside_mask(rows, BLOCK), across - first - 1), outside_mask(rows, width)]
        )
        invalid = np.flatnonzero(blocks & mask)
        if invalid.size:
            at = int(invalid[0])
            place = Place(file=file.name, offset=start + at, tensor=tensor.name)
            block = i * across + first + at // BLOCK_BYTES
            bits = {"byte": f"{blocks[at]:02X}", "mask": f"{mask[at]:02X}"}
            yield Finding("code-outside-matrix", place, {"block": block, **bits})
            return


class RawValues:
    """A check of the values of one raw part, piece by piece; records the first value of each finding code."""

    def __init__(self, metadata: Metadata, tensor: TensorEntry, part: Part) -> None:
        self._tensor, self._part = tensor, part
        self._item = RAW_ITEM_BYTES[tensor.dtype]
        self._frequencies = metadata.model is not None and tensor.name == INV_FREQ
        self._left = part.num_rows * tensor.cols * self._item  # bytes of values; padding follows
        self._element = 0
        self._first_bad: dict[str, tuple[int, int]] = {}  # code: element of the part, bits

    def see(self, piece: memoryview) -> None:
        """Check the next bytes of the part."""
        bits = np.frombuffer(piece[: self._left], f"<u{self._item}")
        exponent = _EXPONENT_BITS[self._tensor.dtype]
        not_finite = (bits & exponent) == exponent
        broken = {"raw-value-not-finite": not_finite}
        if self._frequencies:
            out_of_range = (bits == 0) | (bits > _ONE_IN[self._tensor.dtype])
            broken["frequency-out-of-range"] = ~not_finite & out_of_range
        for code, where in broken.items():
            if code not in self._first_bad and where.any():
                at = int(where.argmax())
                self._first_bad[code] = (self._element + at, int(bits[at]))
        self._element += len(bits)
        self._left -= bits.nbytes

    def findings(self, file: PackageFile) -> Iterator[Finding]:
        """Yield at most one finding per rule, of LLQ-RAW-2 and LLQ-MODEL-6."""
        for code, (at, bits) in self._first_bad.items():
            row, col = divmod(at, self._tensor.cols)
            offset = self._part.offset + at * self._item
            place = Place(file=file.name, offset=offset, tensor=self._tensor.name)
            element = {"dtype": self._tensor.dtype, "row": self._part.first_row + row, "column": col}
            yield Finding(code, place, {"bits": f"{bits:0{2 * self._item}X}", **element})
