"""Markdown of the repository as Markdown of the site: links lead to the site's pages and files."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from website.places import ROOT, extra_files, pages

_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"(#+) (.*)")
_ELSEWHERE = ("http://", "https://", "mailto:")


def relative(target: str, page: str) -> str:
    """Return the path from a page of the site to another page or file."""
    return PurePosixPath(os.path.relpath(target, PurePosixPath(page).parent)).as_posix()


def adapted(text: str, source: str, page: str) -> str:
    """Return the text of a file of the repository with the links that it needs on a page of the site."""
    return with_links(text, lambda link: _adapted_link(link, source, page))


def with_links(text: str, replace: Callable[[re.Match[str]], str]) -> str:
    """Return Markdown with every link and image outside code blocks replaced."""
    return "\n".join(line if fenced else _LINK.sub(replace, line) for fenced, line in lines_with_fences(text))


def lines_with_fences(text: str) -> Iterator[tuple[bool, str]]:
    """Yield each line, and whether it belongs to a fenced block of code."""
    fenced = False
    for line in text.split("\n"):
        edge = line.startswith("```")
        yield fenced or edge, line
        fenced ^= edge


def deeper(text: str, levels: int, label: Callable[[str], str] | None = None) -> str:
    """Return Markdown with its headings some levels deeper, each after an anchor that `label` makes."""
    lines = []
    for fenced, line in lines_with_fences(text):
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is None:
            lines.append(line)
            continue
        if label is not None:
            lines += [f"({label(slug(heading[2]))})=", ""]
        lines.append(f"{'#' * levels}{line}")
    return "\n".join(lines)


def slug(heading: str) -> str:
    """Return the anchor that Markdown renderers give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).strip().replace(" ", "-")


def html_block(html: str) -> str:
    """Return Markdown that holds HTML as it is."""
    return f"```{{raw}} html\n{html}\n```\n"


def _adapted_link(link: re.Match[str], source: str, page: str) -> str:
    if link["target"].startswith(_ELSEWHERE):
        return link[0]
    path, _, fragment = link["target"].partition("#")
    file = PurePosixPath(os.path.normpath(PurePosixPath(source).parent / path)).as_posix()
    if not path:
        file = source
    if file in pages() and pages()[file] == page and fragment:
        return f"[{link['text']}](#{fragment})"
    if file in pages():
        target = relative(f"{pages()[file]}.md", page) + (f"#{fragment}" if fragment else "")
        return f"[{link['text']}]({target})"
    if link["image"] and (ROOT / file).exists():
        return f"![{link['text']}]({relative(image_path(file), page)})"
    if file in _made_pages():
        return f"[{link['text']}]({relative(_made_pages()[file], page)})"
    if file in extra_files():
        return f'<a href="{relative(extra_files()[file], page)}">{link["text"]}</a>'
    raise LookupError(f"{source}: the site has no place for the target {link['target']}")


def image_path(file: str) -> str:
    """Return the path of an image among the sources of the site."""
    return f"images/{file.replace('/', '-')}"


def _made_pages() -> dict[str, str]:
    """Return the pages that the site makes from data, by the file that guides link to."""
    return {
        "conformance/mutation/quick.json": "measurements/kill-matrix.md",
        "conformance/measurement/attribution.json": "measurements/mutants.md",
        "conformance/measurement/operators/survivors": "measurements/mutation-operators.md",
        "website/static/profile-h200.html": "measurements/profile-h200.md",
    }


def write(pages_folder: "os.PathLike[str]", page: str, text: str) -> None:
    """Write the Markdown of a page."""
    path = ROOT / pages_folder / f"{page}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
