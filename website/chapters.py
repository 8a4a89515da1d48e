"""The specification: a page for each chapter, and all chapters on one page with an anchor for each rule."""

import re
from pathlib import Path, PurePosixPath

from website import markdown
from website.places import GUIDES, ROOT, SPECIFICATION, extra_files, pages

_SPEC = ROOT / "spec"
_ROW = re.compile(r"^\| \[[^\]]+\]\((\w+)\.md\) \|", re.MULTILINE)

CHAPTERS = ("overview", *_ROW.findall((_SPEC / "README.md").read_text(encoding="utf-8")))
"""The chapters in the order of the overview's table, by the names of their pages."""

_ONE_PAGE = """---
no-search: true
---

# LLQ 1.0 on one page

The whole specification.
Each rule has an anchor of its own, such as LLQ-PACK-3; the id links to the page of the rule.
The [chapters](overview.md) have pages of their own.
[All rules](../rules/index.md) are listed in the order of checking.
"""


def write(folder: Path) -> None:
    """Write the Markdown of all chapters and of the edition on one page."""
    from website.guides import copy_images  # noqa: PLC0415 - guides list the chapters

    sources = [f"spec/{_file(chapter)}" for chapter in CHAPTERS]
    for source in sources:
        text = (ROOT / source).read_text(encoding="utf-8")
        markdown.write(folder, pages()[source], markdown.adapted(text, source, pages()[source]))
    markdown.write(folder, f"{SPECIFICATION}/index", _one_page())
    copy_images(folder, sources)


def _file(chapter: str) -> str:
    return "README.md" if chapter == "overview" else f"{chapter}.md"


def _one_page() -> str:
    """Return all chapters except the list of rules, with links between them as links within the page."""
    parts = [_ONE_PAGE]
    for chapter in CHAPTERS:
        if chapter != "rules":
            text = (_SPEC / _file(chapter)).read_text(encoding="utf-8")
            text = markdown.deeper(text, 1, lambda heading, name=chapter: f"{name}-{heading}")  # type: ignore[misc]
            text = markdown.with_links(text, lambda link, name=chapter: _as_anchor(link, name))  # type: ignore[misc]
            parts.append(f"(chapter-{chapter})=\n\n{text}")
    return "\n\n".join(parts)


def _as_anchor(link: re.Match[str], chapter: str) -> str:
    """Return a link of a chapter as one within the page, or to a figure, a file, a guide or all rules."""
    path, _, fragment = link["target"].partition("#")
    if link["target"].startswith(("http://", "https://")):
        return link[0]
    if link["image"]:
        image = markdown.relative(markdown.image_path(f"spec/{path}"), f"{SPECIFICATION}/index")
        return f"![{link['text']}]({image})"
    if path == "rules.md":
        return f"[{link['text']}](rules.md)"
    if f"spec/{path}" in extra_files():
        return f'<a href="{path}">{link["text"]}</a>'
    if path.startswith("../"):
        guide = GUIDES[path.removeprefix("../")]
        target = markdown.relative(f"{guide}.md", f"{SPECIFICATION}/index")
        return f"[{link['text']}]({target}{f'#{fragment}' if fragment else ''})"
    name = PurePosixPath(pages()[f"spec/{path}"]).name if path else chapter
    return f"[{link['text']}](#{f'{name}-{fragment}' if fragment else f'chapter-{name}'})"
