"""The decoder of the specification in NumPy: rounded as specified, otherwise in binary64.

`Decoder(llq_format.open(path)).prefill(token_ids)` gives logits, float64 [tokens, vocab_size].
"""

from llq_format.reference.forward import Decoder, Sequence

__all__ = ["Decoder", "Sequence"]
