"""The figure of a shard: its preamble and its parts, with their offsets."""

from website.figures.drawing import Drawing
from website.figures.example import example

_ROW = 46


def draw() -> str:
    """Return the figure."""
    package = example("control-files")
    length = len(package.shard)
    parts = sorted(
        (
            (part["offset"], part["byte_length"], tensor)
            for tensor in package.metadata["tensors"]
            for part in tensor["parts"]
        ),
        key=lambda part: part[0],
    )
    drawing = Drawing(
        760,
        70 + _ROW * (len(parts) + 1),
        "A shard",
        f"The shard of the vector control-files, {length:,} bytes: a preamble of 256 bytes, then "
        f"{len(parts)} parts without holes. "
        "INT4 parts are PackedWeight records, the others are raw tensors. Heights are not to scale.",
    )
    drawing.text(96, 26, "offset", kind="dim", anchor="end", size=12)
    drawing.text(738, 26, "bytes", kind="dim", anchor="end", size=12)
    _row(
        drawing,
        0,
        (0, 256),
        ("preamble", "magic 89 4C 4C 51 0D 0A 1A 0A, version, index, count, byte_length"),
        "plain",
    )
    for number, (offset, size, tensor) in enumerate(parts, 1):
        int4 = tensor["dtype"].startswith("int4")
        what = "PackedWeight record" if int4 else "raw tensor"
        shape = " × ".join(map(str, tensor["shape"]))
        _row(
            drawing,
            number,
            (offset, size),
            (tensor["name"], f"{what}, {tensor['dtype']}, {shape}"),
            "amber" if int4 else "green",
        )
    drawing.text(96, 40 + _ROW * (len(parts) + 1) + 12, f"{length:,}", kind="mono dim", anchor="end", size=13)
    return drawing.svg()


def _row(drawing: Drawing, number: int, place: tuple[int, int], texts: tuple[str, str], tone: str) -> None:
    y = 36 + _ROW * number
    offset, size = place
    drawing.text(96, y + 14, f"{offset:,}", kind="mono dim", anchor="end", size=13)
    drawing.box((108, y, 560, _ROW), tone, corner=0)  # type: ignore[arg-type]
    drawing.text(122, y + 19, texts[0], kind="mono bold", size=13)
    drawing.text(122, y + 37, texts[1], kind="dim", size=12)
    drawing.text(738, y + 28, f"{size:,}", kind="mono dim", anchor="end", size=13)
