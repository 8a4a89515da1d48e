"""The figure of a layer: the flow of its vectors, and where they are rounded."""

from website.figures.drawing import Drawing, Tone

_LEFT, _WIDTH, _STEP = 190, 300, 46
_ATTENTION: tuple[tuple[str, Tone], ...] = (
    ("norm(x, attention_norm)", "plain"),
    ("round", "red"),
    ("attention.qkv", "amber"),
    ("RoPE, qk_norm, temperature", "plain"),
    ("scores, mask, softmax, values", "plain"),
    ("round", "red"),
    ("attention.output", "amber"),
    ("+", "blue"),
)
_FFN: tuple[tuple[str, Tone], ...] = (
    ("norm(h, ffn_norm)", "plain"),
    ("round", "red"),
    ("ffn.gate_up", "amber"),
    ("act(gate) ⊙ up", "plain"),
    ("round", "red"),
    ("ffn.down", "amber"),
    ("+", "blue"),
)


def draw() -> str:
    """Return the figure."""
    steps = len(_ATTENTION) + len(_FFN)
    drawing = Drawing(
        760,
        76 + _STEP * (steps + 1),
        "The data flow of a layer",
        "The residual stream x of one position passes through attention and FFN. "
        "Each begins with a norm and ends with a sum. "
        "Vectors are rounded in four places: before qkv, before output, before gate_up and before down. "
        "In layers below fp16_layers they are rounded to binary16, in later layers to INT8. "
        "Everything else is binary32 or wider. "
        "Keys and values may be stored in the KV cache as binary16.",
    )
    _legend(drawing)
    drawing.labelled_box((_LEFT, 76, _WIDTH, 34), ["x, the residual stream"], "blue")
    after = _column(drawing, 76 + _STEP, _ATTENTION, "h")
    _column(drawing, after, _FFN, "x of the next layer")
    cache = 76 + _STEP * 4
    drawing.labelled_box((560, cache, 180, 34), ["KV cache"], "green")
    drawing.arrow((_LEFT + _WIDTH, cache + 17), (558, cache + 17))
    drawing.arrow((650, cache + 34), (650, cache + _STEP + 17), (_LEFT + _WIDTH + 2, cache + _STEP + 17))
    drawing.text(560, cache - 8, "binary32 or binary16", kind="dim", size=12)
    expert = after + _STEP
    _note(drawing, expert + 12, ("of an expert: sigmoid(r) · norm", "is rounded, after the product"))
    _note(
        drawing,
        after + _STEP * (len(_FFN) - 1) + 12,
        ("after the last layer: norm,", "round to binary16, lm_head"),
    )
    return drawing.svg()


def _note(drawing: Drawing, y: float, lines: tuple[str, ...]) -> None:
    for number, line in enumerate(lines):
        drawing.text(_LEFT + _WIDTH + 20, y + 18 * number, line, kind="dim", size=12)


def _legend(drawing: Drawing) -> None:
    drawing.box((20, 18, 20, 20), "red")
    drawing.text(48, 33, "rounded: to binary16 in layers < fp16_layers, to INT8 in later layers", size=13)
    drawing.box((20, 44, 20, 20), "amber")
    drawing.text(48, 59, "INT4 matmul", size=13)
    drawing.box((150, 44, 20, 20), "plain")
    drawing.text(178, 59, "binary32 or wider", size=13)


def _column(drawing: Drawing, top: float, steps: tuple[tuple[str, Tone], ...], result: str) -> float:
    """Draw the steps of a sublayer, with the residual around them; return where the next one begins."""
    for number, (name, tone) in enumerate(steps):
        y = top + _STEP * number
        drawing.arrow((_LEFT + _WIDTH / 2, y - 12), (_LEFT + _WIDTH / 2, y - 1))
        if name == "round":
            drawing.labelled_box((_LEFT + 60, y, _WIDTH - 120, 34), ["round"], tone)
        else:
            drawing.labelled_box(
                (_LEFT, y, _WIDTH, 34), [f"{result}: the sum" if name == "+" else name], tone
            )
    end = top + _STEP * (len(steps) - 1)
    drawing.arrow((_LEFT, top - _STEP + 17), (110, top - _STEP + 17), (110, end + 17), (_LEFT - 2, end + 17))
    drawing.text(100, (top + end) / 2, "residual", kind="dim", anchor="end", size=12)
    return end + _STEP
