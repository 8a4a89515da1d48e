"""Elements of HTML as text, for what Markdown cannot say."""

from html import escape


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | None) -> Html:
    """Return an element; children that are not `Html` are escaped, `class_` stands for class, None is left out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items() if value is not None
    )
    content = "".join(child if isinstance(child, Html) else escape(child, quote=False) for child in children)
    return Html(f"<{name}{written}>{content}</{name}>")


def block(html: str) -> str:
    """Return Markdown that holds HTML as it is."""
    return f"```{{raw}} html\n{html}\n```\n"
