"""What the theme leaves out for users of screen readers: levels of headings and names of landmarks."""

from pathlib import Path

_COMPLETED = {
    '<p class="caption" role="heading">': '<p class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="Site">',
    '<aside class="toc-drawer': '<aside aria-label="This page" class="toc-drawer',
}
_SEARCH_RESULTS = '<div id="search-results"></div>'


def complete(site: Path) -> None:
    """Complete the HTML of all pages that the theme frames. Raises LookupError if the theme has changed."""
    framed = [path for path in sorted(site.rglob("*.html")) if "reports" not in path.relative_to(site).parts]
    for path in framed:
        if path.parent.name != "_static":
            path.write_text(_completed(path.read_text(encoding="utf-8"), path), encoding="utf-8")
    search = site / "search.html"
    text = search.read_text(encoding="utf-8")
    search.write_text(text.replace(_SEARCH_RESULTS, f"<h1>Search</h1>{_SEARCH_RESULTS}"), encoding="utf-8")


def _completed(text: str, path: Path) -> str:
    for part, completed in _COMPLETED.items():
        if part not in text:
            raise LookupError(f"{path} has no {part}: has the theme changed?")
        text = text.replace(part, completed)
    return text
