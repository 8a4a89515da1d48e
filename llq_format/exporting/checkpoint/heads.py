"""Heads of attention: how many for keys and values, and how wide, where a configuration leaves it out."""

from llq_format.exporting.checkpoint.keys import Keys


def kv_heads(keys: Keys, key: str, num_heads: int) -> int:
    """Return the number of key-value heads, by default one for each query head."""
    num_kv_heads = keys.integer(key, 1, num_heads, num_heads)
    if num_heads % num_kv_heads != 0:
        raise keys.error(key, f"is {num_kv_heads}, and the {num_heads} heads are no multiple of it")
    return num_kv_heads


def head_dim(keys: Keys, key: str, hidden_size: int, num_heads: int) -> int:
    """Return the width of a head, by default such that all of them are as wide as the model."""
    if keys.get(key) is None and hidden_size % num_heads != 0:
        raise keys.error(
            key, f"is missing, and hidden size {hidden_size} is no multiple of {num_heads} heads"
        )
    width = keys.integer(key, 2, 4096, hidden_size // num_heads)
    if width % 2 != 0:
        raise keys.error(key, f"is {width}, which is odd: RoPE rotates pairs")
    return width
