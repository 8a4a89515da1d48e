"""The figure of the executor's loop: what is done once, for each chunk of a prompt, and for each token."""

from website.figures.drawing import Drawing

_ONCE = (
    ("Verify the package", "lengths, SHA-256, rules of the program"),
    ("Make a device and buffers", "each shard is one buffer; state, tokens, parameters"),
    ("Make pipelines and bind groups", "once; no layout depends on shapes"),
)
_PROMPT = (
    ("Write tokens, state[0] and state[1]", "at most chunk tokens"),
    ("Run pass prefill", "keys and values of the chunk"),
)
_LAST = (("Run pass last", "the logits of the last position of the prompt"),)
_TOKEN = (
    ("Run pass greedy or sample", "chooses a token; writes state and tokens"),
    ("Read the token", "a copy of state, word 2"),
    ("Run pass decode", "the logits of the chosen token"),
)


_LEFT, _WIDTH, _STEP = 220, 440, 62
_MIDDLE, _RIGHT = _LEFT + _WIDTH / 2, _LEFT + _WIDTH
_GAP = 26


def draw() -> str:
    """Return the figure."""
    drawing = Drawing(
        760,
        660,
        "The executor's loop",
        "Once: verify the package, make a device and buffers, make pipelines and bind groups. "
        "For each chunk of a prompt: write tokens and state, run pass prefill. "
        "After the last chunk: run pass last. "
        "For each token: run pass greedy or sample, read the token, run pass decode, and repeat. "
        "The loop ends at an end token or at max_tokens.",
    )
    prompt = _group(drawing, 16, "once", _ONCE)
    last = _group(drawing, prompt, "for each chunk of a prompt", _PROMPT)
    _loop(drawing, prompt, last - _GAP, "next chunk")
    token = _group(drawing, last, "after the last chunk", _LAST)
    end = _group(drawing, token, "for each token", _TOKEN)
    _loop(drawing, token, end - _GAP, "loop")
    drawing.arrow(
        (_LEFT, token + _STEP + 25), (_LEFT - 50, token + _STEP + 25), (_LEFT - 50, token + 2 * _STEP + 4)
    )
    for number, line in enumerate(("the end: a token of", "eos_token_ids,", "or max_tokens")):
        drawing.text(
            _LEFT - 24, token + 2 * _STEP + 20 + 16 * number, line, kind="dim", anchor="end", size=12
        )
    return drawing.svg()


def _group(drawing: Drawing, top: float, title: str, steps: tuple[tuple[str, str], ...]) -> float:
    """Draw the steps of a group from top to bottom; return where the next group begins."""
    drawing.text(_LEFT - 16, top + 30, title, kind="dim", anchor="end", size=13)
    for number, (name, below) in enumerate(steps):
        y = top + _STEP * number
        drawing.labelled_box(
            (_LEFT, y, _WIDTH, _STEP - 12), [name, below], "amber" if name.startswith("Run") else "blue"
        )
        if number < len(steps) - 1:
            drawing.arrow((_MIDDLE, y + _STEP - 12), (_MIDDLE, y + _STEP - 1))
    end = top + _STEP * len(steps) - 12
    if steps != _TOKEN:
        drawing.arrow((_MIDDLE, end), (_MIDDLE, end + _GAP - 1))
    return end + _GAP


def _loop(drawing: Drawing, top: float, end: float, label: str) -> None:
    """Draw the way back from the last step of a group to its first."""
    drawing.arrow(
        (_RIGHT, end - 25), (_RIGHT + 30, end - 25), (_RIGHT + 30, top + 25), (_RIGHT + 2, top + 25)
    )
    for number, word in enumerate(label.split()):
        drawing.text(_RIGHT + 38, (top + end) / 2 + 16 * number, word, kind="dim", size=12)
