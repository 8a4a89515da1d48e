"""A self-contained page: a frame, styles, a script and a body, without external requests."""

import base64
import hashlib
import re
from pathlib import Path

from .markup import Html, text

PAGES = Path(__file__).parent / "pages"
_SLOT = re.compile(r"\{\{(\w+)\}\}")


def page(title: str, body: Html, *files: Path) -> str:
    """Return a page with the common style, and the styles and scripts of more files in their order.

    The policy in its head forbids every request, and every script but its own.
    """
    style, script = (
        "".join(_read(file) for file in (PAGES / "page.css", *files) if file.suffix == suffix)
        for suffix in (".css", ".js")
    )
    parts = {
        "title": text(title),
        "body": body,
        "style": Html(style),
        "script": Html(script),
        "script_sha256": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    return _SLOT.sub(lambda slot: parts[slot[1]], _read(PAGES / "page.html"))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
