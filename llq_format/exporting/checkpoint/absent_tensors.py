"""Why a tensor that a model requires is absent, as far as the other names show."""

from collections.abc import Collection

HEAD = "lm_head.weight"


def cause_of_absence(name: str, present: Collection[str]) -> str:
    """Return the likely cause that tensor `name` is absent among the names that are present, and the fix."""
    prefix = next((other.removesuffix(name) for other in present if other.endswith(name)), None)
    if prefix is not None:
        return f"names have the prefix {prefix!r}, which a wrapper of the model adds: remove the prefix"
    if name == HEAD or name.endswith(f".{HEAD}"):
        return (
            "tie_word_embeddings is false: set it to true in config.json if the head is the embedding, "
            "else download the file with the head"
        )
    return "is the download complete?"
