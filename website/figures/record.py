"""The figure of a PackedWeight record: its slot and its sections, with the bytes of the worked example."""

from website.figures.drawing import Drawing
from website.figures.example import example

_FIELDS = (("block_rows", 0), ("block_cols", 4), ("num_blocks", 8), ("offset", 12))
_ROW = 54


def draw() -> str:
    """Return the figure."""
    shard = example("worked-example").shard
    record = shard[256:]
    drawing = Drawing(
        760,
        502,
        "A PackedWeight record",
        "The record of the worked example, one block of 64 × 64 elements: a slot of 256 bytes with "
        "block_rows, block_cols, "
        "num_blocks and offset, then the sections scale, zero_point and packed. Zeros fill the slot "
        "and each section up to a multiple of 256.",
    )
    drawing.text(110, 26, "in the record", kind="dim", anchor="end", size=12)
    drawing.text(738, 26, "in the shard", kind="dim", anchor="end", size=12)
    _slot(drawing, record)
    rows = (
        (
            256,
            f"scale: {record[256:258].hex(' ').upper()} is 0.5",
            "2 bytes: binary16, one value for each block",
            "amber",
        ),
        (258, "zeros", "254 bytes, up to a multiple of 256", "faint"),
        (
            512,
            f"zero_point: {record[512:513].hex().upper()} is −3",
            "1 byte: i8, one value for each block",
            "amber",
        ),
        (513, "zeros", "255 bytes, up to a multiple of 256", "faint"),
        (
            768,
            f"packed, low plane: {record[768:776].hex(' ').upper()} …",
            "1,024 bytes: bits 0 and 1 of the 4,096 codes",
            "green",
        ),
        (
            1792,
            f"packed, high plane: {record[1792:1800].hex(' ').upper()} …",
            "1,024 bytes: bits 2 and 3 of the 4,096 codes",
            "green",
        ),
    )
    for number, (offset, text, below, tone) in enumerate(rows):
        y = 130 + _ROW * number
        _offsets(drawing, y, offset)
        drawing.box((122, y, 510, _ROW - 4), tone, corner=0)  # type: ignore[arg-type]
        drawing.text(136, y + 21, text, kind="mono bold", size=13)
        drawing.text(136, y + 40, below, kind="dim", size=12)
    _offsets(drawing, 130 + _ROW * len(rows), len(record))
    return drawing.svg()


def _slot(drawing: Drawing, record: bytes) -> None:
    _offsets(drawing, 40, 0)
    for number, (name, offset) in enumerate(_FIELDS):
        value = record[offset : offset + 4]
        x = 122 + 102 * number
        drawing.box((x, 40, 102, 82), "blue", corner=0)
        drawing.text(x + 51, 62, name, kind="bold", anchor="middle", size=13)
        drawing.text(x + 51, 84, value.hex(" ").upper(), kind="mono", anchor="middle", size=13)
        drawing.text(
            x + 51, 106, f"u32, {int.from_bytes(value, 'little')}", kind="dim", anchor="middle", size=12
        )
    drawing.box((530, 40, 102, 82), "faint", corner=0)
    drawing.text(581, 84, "240 zeros", kind="dim", anchor="middle", size=12)


def _offsets(drawing: Drawing, y: float, offset: int) -> None:
    drawing.text(110, y + 14, f"{offset:,}", kind="mono dim", anchor="end", size=13)
    drawing.text(738, y + 14, f"{256 + offset:,}", kind="mono dim", anchor="end", size=13)
