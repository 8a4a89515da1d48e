"""The figure of a package: its files, which the metadata names, and what an executor makes of each."""

from website.figures.drawing import Drawing
from website.figures.example import example

_USES = {
    ".llq": "one GPU buffer, byte for byte",
    ".wgsl": "compiled once into pipelines",
    "program.json": "dispatches, in order",
    "tokenizer.json": "text to ids and back",
}


def draw() -> str:
    """Return the figure."""
    files = example("control-files").files
    named = sorted((name for name in files if name != "metadata.json"), key=_order)
    drawing = Drawing(
        760,
        90 + 70 * len(named),
        "A package",
        f"The directory of the vector control-files. metadata.json names {len(named)} other files "
        "with their lengths "
        "and SHA-256. The shard becomes a GPU buffer, the module becomes pipelines, the program "
        "gives the dispatches, "
        "and the tokenizer converts text.",
    )
    height = 70 * len(named) - 10
    drawing.box((12, 40, 478, height + 34), "faint", corner=8)
    drawing.text(24, 28, "the directory of a package", kind="bold")
    drawing.text(524, 28, "what an executor makes of it", kind="bold")
    drawing.labelled_box(
        (28, 58, 160, height),
        [
            "metadata.json",
            f"{len(files['metadata.json']):,} bytes",
            "names each file",
            "with byte_length",
            "and sha256",
        ],
        "blue",
        "mono",
    )
    for number, name in enumerate(named):
        y = 58 + 70 * number
        drawing.labelled_box(
            (236, y, 238, 58),
            [name, f"{len(files[name]):,} bytes"],
            "amber" if name.endswith(".llq") else "green",
            "mono",
        )
        drawing.arrow((188, y + 29), (234, y + 29))
        drawing.arrow((474, y + 29), (518, y + 29))
        drawing.text(
            524, y + 34, next(use for end, use in _USES.items() if name.endswith(end)), kind="dim", size=13
        )
    return drawing.svg()


def _order(name: str) -> int:
    return next(number for number, end in enumerate(_USES) if name.endswith(end))
