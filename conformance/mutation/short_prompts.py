"""The last logits of many prompts, which the reference computes in one batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import llq_format
from llq_format.reference import Decoder, attention
from llq_format.reference.attention import KVCache, KVPrecision

from ..core.runtime import Reals
from .mutants.seam import Mutate, Seam, mutated


def last_logits(
    package: Path, prompts: Sequence[Sequence[int]], cache: str = "f32", mutations: Sequence[Mutate] = ()
) -> Reals:
    """Return the logits after each prompt, float64 [prompts, vocab_size].

    The prompts are one sequence whose positions restart, and each attends to itself alone.
    cache: the declared KV cache. mutations: changes of the reference.
    """
    precision: KVPrecision = "float16" if cache == "f16" else "float32"
    lengths = [len(tokens) for tokens in prompts]
    positions = np.concatenate([np.arange(length, dtype=np.float64) for length in lengths])
    prompt_of = np.repeat(np.arange(len(prompts)), lengths)
    apart = prompt_of[:, None] == prompt_of

    def separate(seam: Seam) -> None:
        def mutate(attends: Any) -> Any:
            def attends_apart(queries: Reals, _keys: Reals, chunk_size: int | None) -> NDArray[np.bool_]:
                return np.asarray(attends(queries, positions, chunk_size) & apart)

            return attends_apart

        seam.wrap(attention, "attends", mutate)

    with mutated((*mutations, separate), {}), llq_format.open(package) as opened:
        decoder = Decoder(opened, kv_cache=precision)
        x = decoder.embedding[np.concatenate(prompts)].astype(np.float64)
        for layer in decoder.layers:
            x = layer(x, positions, KVCache(precision))
        return decoder.head(decoder.final_norm(x)[np.cumsum(lengths) - 1])
