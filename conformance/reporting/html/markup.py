"""HTML without holes: text becomes markup by escaping alone, whatever a runtime wrote into it."""

from html import escape

VOID = {"input", "br", "link", "meta"}


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | bool | None) -> Html:
    """Return an element; children and values that are not `Html` are escaped.

    In names of attributes, `_` becomes `-`; a final `_` is removed (`class_`). True writes the name only,
    None and False omit the attribute.
    """
    attribute_values = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    attribute_texts = [
        f" {key}" if value is True else f' {key}="{escape(str(value))}"'
        for key, value in attribute_values.items()
        if value is not None and value is not False
    ]
    start = f"<{name}{''.join(attribute_texts)}>"
    return Html(start if name in VOID else f"{start}{text(*children)}</{name}>")


def text(*children: str) -> Html:
    """Return the children in order; all that are not `Html` are escaped, including control characters."""
    return Html("".join(child if isinstance(child, Html) else escape(_visible(child)) for child in children))


def _visible(child: str) -> str:
    """Return text that every parser reads alike: control characters and lone surrogates as their escapes."""
    return "".join(
        c
        if c in "\n\t" or (ord(c) >= 32 and not 0x7F <= ord(c) < 0xA0 and not 0xD800 <= ord(c) < 0xE000)
        else c.encode("unicode_escape").decode("ascii")
        for c in child
    )
