"""The phases of progress and the codes of errors of the JavaScript interface, as its chapter lists them."""

PHASES = ("metadata", "program", "device", "weights", "pipelines", "ready")
# fmt: off
CODES = frozenset((
    "package", "hash", "no-program", "not-found", "status", "html", "network", "cut", "stalled",
    "range", "redirect", "no-worker", "no-webgpu", "no-adapter", "no-device", "no-variant", "device",
    "shader", "wrong", "out-of-memory", "device-lost", "tokenizer", "no-tokenizer", "sessions",
    "no-template", "template", "context", "input", "disposed", "llq",
))
# fmt: on
"""The codes of errors, as the chapter's table lists them."""
