"""Generate: greedy choice and where it ends."""

from __future__ import annotations

from vectors.cases.logits import DENSE
from vectors.kit.computed import computed
from vectors.kit.model import layer
from vectors.kit.sequences import Generate, Subject

CHATTY = {**DENSE, "layers": [layer(None, {"intermediate_size": 32})]}


@computed("generate", "LLQ-GEN-2")
def generation_reaches_max_tokens() -> Generate:
    """No end token is chosen: the output MUST have exactly max_tokens tokens."""
    return Generate(Subject(CHATTY, 1), [3, 1, 4], 6, [39])
