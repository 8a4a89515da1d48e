"""Text of runtimes that is safe to print: control characters and escape sequences are escaped."""


def printable(text: str) -> str:
    """Return text in which all unprintable characters are escaped, except line feeds."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text
    )
