"""The figure of the two planes of a block, with one element of the worked example followed through them."""

from website.figures.drawing import Drawing
from website.figures.example import example

_ROW, _COLUMN = 2, 7
_PACKED = 1024
"""Offset of the packed section in the shard of the worked example."""

_CELL = 34


def draw() -> str:
    """Return the figure."""
    packed = example("worked-example").shard[_PACKED:]
    element = 64 * _ROW + _COLUMN
    byte, pair = element >> 2, element & 3
    low, high = ((packed[start + byte] >> 2 * pair) & 3 for start in (0, 1024))
    drawing = Drawing(
        760,
        560,
        "One element in the two planes of a block",
        f"Element {element} of the worked example's block, row {_ROW} and column {_COLUMN}, has the "
        f"code {low + 4 * high}. "
        f"Byte {byte} of the low plane holds its low bits {low:02b} at bits {2 * pair} and {2 * pair + 1}, "
        f"byte {byte} of the high plane its high bits {high:02b} at the same bits. The code is {low} "
        f"+ 4 · {high} = {low + 4 * high}.",
    )
    _codes(drawing, packed)
    drawing.text(400, 84, f"e = 64 · {_ROW} + {_COLUMN} = {element}", kind="mono", size=15)
    drawing.text(400, 112, f"byte = {element} >> 2 = {byte}", kind="mono", size=15)
    drawing.text(400, 140, f"shift = 2 · ({element} & 3) = {2 * pair}", kind="mono", size=15)
    drawing.arrow((500, 156), (500, 228))
    for number, (name, start, value) in enumerate((("low", 0, low), ("high", 1024, high))):
        _plane(drawing, 236 + 136 * number, (name, start, packed[start + byte], value), pair)
    drawing.text(
        24, 532, f"q = low + 4 · high = {low} + 4 · {high} = {low + 4 * high}", kind="mono bold", size=16
    )
    return drawing.svg()


def _codes(drawing: Drawing, packed: bytes) -> None:
    """Draw the codes of the corner of the block."""
    drawing.text(24, 28, "codes of the block, rows 0 to 3 and columns 0 to 8 of 64 × 64", kind="bold")
    for row in range(4):
        for column in range(9):
            chosen = (row, column) == (_ROW, _COLUMN)
            x, y = 44 + _CELL * column, 56 + _CELL * row
            drawing.box((x, y, _CELL, _CELL), "red" if chosen else "plain", corner=0)
            drawing.text(
                x + _CELL / 2,
                y + 22,
                str(_code(packed, 64 * row + column)),
                kind="mono bold" if chosen else "mono",
                anchor="middle",
            )
        drawing.text(34, 78 + _CELL * row, str(row), kind="dim", anchor="end", size=12)
    for column in range(9):
        drawing.text(61 + _CELL * column, 50, str(column), kind="dim", anchor="middle", size=12)


def _plane(drawing: Drawing, y: float, plane: tuple[str, int, int, int], pair: int) -> None:
    """Draw the byte of a plane that holds the element, as bits; the other bytes are hinted at."""
    name, start, byte, value = plane
    index = (64 * _ROW + _COLUMN) >> 2
    drawing.text(24, y + 14, f"{name} plane: bytes {start:,} to {start + 1023:,} of the block", kind="bold")
    drawing.box((24, y + 28, 130, 56), "faint", corner=0)
    drawing.text(89, y + 61, f"bytes 0 to {index - 1}", kind="dim", anchor="middle", size=12)
    drawing.text(420, y + 14, f"byte {index} is {byte:02X}", kind="mono dim", size=13)
    for number in range(4):
        bits = 3 - number  # the pair of bits, the most significant first
        x = 170 + 100 * number
        drawing.box((x, y + 28, 100, 56), "red" if bits == pair else "green", corner=0)
        drawing.text(
            x + 50, y + 52, f"{(byte >> 2 * bits) & 3:02b}", kind="mono bold", anchor="middle", size=16
        )
        drawing.text(x + 50, y + 74, f"element {4 * index + bits}", kind="dim", anchor="middle", size=12)
        drawing.text(
            x + 50, y + 100, f"bits {2 * bits + 1}, {2 * bits}", kind="dim", anchor="middle", size=12
        )
    drawing.box((586, y + 28, 150, 56), "faint", corner=0)
    drawing.text(661, y + 61, f"bytes {index + 1} to 1,023", kind="dim", anchor="middle", size=12)
    drawing.text(586, y + 104, f"{name} = {value}", kind="mono bold", size=14)


def _code(packed: bytes, element: int) -> int:
    byte, shift = element >> 2, 2 * (element & 3)
    return ((packed[byte] >> shift) & 3) + 4 * ((packed[1024 + byte] >> shift) & 3)
