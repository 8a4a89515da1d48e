"""Attention heads: defaults for the number of key-value heads and the head width."""

from llq_format.exporting.checkpoint.keys import Keys


def kv_heads(keys: Keys, key: str, num_heads: int) -> int:
    """Return the number of key-value heads, by default one for each query head."""
    num_kv_heads = keys.integer(key, 1, num_heads, num_heads)
    if num_heads % num_kv_heads != 0:
        raise keys.error(
            key, f"is {num_kv_heads}, but the number of heads ({num_heads}) is not a multiple of it"
        )
    return num_kv_heads


def head_dim(keys: Keys, key: str, hidden_size: int, num_heads: int, default: int | None = None) -> int:
    """Return the width of a head.

    If the key is absent, it is `default`. Without a default, or if the key is null, it is the hidden size
    divided by the number of heads.
    """
    if default is not None and key not in keys.values:
        return default
    if keys.get(key) is None and hidden_size % num_heads != 0:
        raise keys.error(
            key, f"is missing, and the hidden size {hidden_size} is not a multiple of {num_heads} heads"
        )
    width = keys.integer(key, 2, 4096, hidden_size // num_heads)
    if width % 2 != 0:
        raise keys.error(key, f"is {width}; expected an even number, because RoPE rotates pairs")
    return width
