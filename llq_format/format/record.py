"""The PackedWeight record: some block rows of an INT4 matrix (spec: Shards and records, PackedWeight record).

The declarations parse and build single records; `open`, `validate` and decoding take arrays out of a shard in
one piece instead.
"""

from typing import Any

import numpy as np
from construct import Adapter, Bytes, Container, Float16l, Int8sl, Int32ul, Struct, this
from numpy.typing import NDArray

from llq_format.format.declarations import Fixed, fields, section, zeros
from llq_format.format.layout import BLOCK, PLANE_BYTES
from llq_format.format.packing import pack, unpack

SLOT = Struct(
    "block_rows" / Fixed(Int32ul, BLOCK) * "Rows of a block (LLQ-REC-1).",
    "block_cols" / Fixed(Int32ul, BLOCK) * "Columns of a block (LLQ-REC-1).",
    "num_blocks" / Int32ul * "ceil(rows / 64) * ceil(cols / 64) of the part (LLQ-REC-2).",
    "offset" / Int32ul * "Offset of the scale section in the shard (LLQ-REC-3).",
    "reserved_16" / zeros(240) * "Zeros (LLQ-REC-4).",
)
"""The first 256 bytes of a record; it begins with the struct of the founding article."""

SLOT_FIELDS = fields(SLOT)

PLANES = Struct(
    "low" / Bytes(PLANE_BYTES) * "Bits q & 3 of the codes; element e at bits 2 * (e & 3) of byte e >> 2.",
    "high" / Bytes(PLANE_BYTES) * "Bits q >> 2 of the codes, in the same places.",
)
"""The 2,048 packed bytes of a block of 64 x 64 codes q (LLQ-PACK-2 to LLQ-PACK-4)."""

PLANE_FIELDS = fields(PLANES)


class Codes(Adapter):  # type: ignore[type-arg]  # generic only in its stubs
    """The codes of a block, uint8 [64, 64], each 0 to 15, stored as two planes."""

    def _decode(self, obj: Any, _context: Any, _path: Any) -> NDArray[np.uint8]:
        return unpack(np.frombuffer(obj.low + obj.high, np.uint8))

    def _encode(self, obj: NDArray[np.uint8], _context: Any, _path: Any) -> Any:
        planes = pack(obj).tobytes()
        return Container(low=planes[:PLANE_BYTES], high=planes[PLANE_BYTES:])


_SCALE = "scale" / section(this.slot.num_blocks, Float16l) * "The scale of every block (LLQ-DEQ-1)."
_ZERO_POINT = (
    "zero_point" / section(this.slot.num_blocks, Int8sl) * "The zero_point of every block (LLQ-DEQ-4)."
)
_PACKED = "packed" / section(this.slot.num_blocks, "block" / Codes(PLANES)) * "Every block (LLQ-PACK-5)."

RECORDS = {
    "int4_affine": Struct("slot" / SLOT, _SCALE, _ZERO_POINT, _PACKED),
    "int4_symmetric": Struct("slot" / SLOT, _SCALE, _PACKED),
}
"""Records by dtype. Parsed, they give slot, scale float [n], zero_point int [n], packed uint8 [n][64, 64]."""
