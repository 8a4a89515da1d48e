"""The guides: Markdown files of the repository, each a page of the site."""

import re
import shutil
from pathlib import Path

from website import markdown, terms
from website.chapters import CHAPTERS
from website.places import GUIDES, ROOT, SPECIFICATION

_IMAGE = re.compile(r"!\[[^\]]*\]\(([^)#:]+)\)")


def write(pages: Path) -> None:
    """Write the Markdown of all guides and the images that they show."""
    for source, page in GUIDES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        markdown.write(
            pages, page, markdown.adapted(text, source, page) + (_contents() if page == "index" else "")
        )
    copy_images(pages, list(GUIDES))


def copy_images(pages: Path, sources: list[str]) -> None:
    """Copy the images that Markdown files of the repository show to the sources of the site."""
    for source in sources:
        for target in _IMAGE.findall((ROOT / source).read_text(encoding="utf-8")):
            file = (ROOT / source).parent / target
            copy = pages / markdown.image_path(file.resolve().relative_to(ROOT).as_posix())
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)


def _contents() -> str:
    """Return the table of contents of the site, which the side bar shows."""
    guides = [page for page in GUIDES.values() if page != "index" and page not in _MEASURED_GUIDES]
    return "".join(
        (
            _tree("Specification", [f"On one page <{SPECIFICATION}/index>", *_chapters(), terms.PAGE]),
            _tree("Rules", ["All rules <rules/index>"]),
            _tree("Guides", guides),
            _tree("Measurements", [*_MEASUREMENTS, *_MEASURED_GUIDES]),
        )
    )


_MEASUREMENTS = [
    f"measurements/{name}"
    for name in (
        *("runtimes", "kill-matrix", "mutants", "mutation-operators", "conforming-variants", "profile-h200"),
    )
]
_MEASURED_GUIDES = [f"guides/{name}" for name in ("quality", "tolerance", "webgpu")]
"""Guides that report measurements: quality, tolerance and speed."""


def _chapters() -> list[str]:
    """Return the chapters; the first, whose title is that of the specification, is called the overview."""
    first, *others = (f"{SPECIFICATION}/{name}" for name in CHAPTERS)
    return [f"Overview <{first}>", *others]


def _tree(caption: str, entries: list[str]) -> str:
    return "\n".join(("", "```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""))
