"""Where the files of the repository are on the site."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The repository."""

SPECIFICATION = "1.0"
"""The folder of the specification on the site."""

GUIDES = {
    "README.md": "index",
    "docs/architecture.md": "guides/architecture",
    "docs/affine.md": "guides/affine",
    "docs/architectures.md": "guides/architectures",
    "docs/distribution.md": "guides/distribution",
    "docs/export.md": "guides/export",
    "docs/quality.md": "guides/quality",
    "docs/tolerance.md": "guides/tolerance",
    "docs/webgpu.md": "guides/webgpu",
    "web/README.md": "guides/javascript",
    "web/examples/README.md": "guides/javascript-examples",
    "conformance/README.md": "guides/conformance",
    "conformance/ADAPTERS.md": "guides/adapters",
    "conformance/TRACE.md": "guides/trace",
    "vectors/README.md": "guides/vectors",
    "CONTRIBUTING.md": "guides/contributing",
    "CHANGELOG.md": "guides/changelog",
}
"""The page of each guide, by its file; a file of `docs/` that is not listed is an error of the build."""


@cache
def pages() -> Mapping[str, str]:
    """Return the page of each Markdown file of the repository that the site has, without suffix."""
    chapters = {
        f"spec/{path.name}": f"{SPECIFICATION}/{'overview' if path.name == 'README.md' else path.stem}"
        for path in sorted((ROOT / "spec").glob("*.md"))
    }
    unlisted = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} - set(GUIDES)
    if unlisted:
        raise LookupError(f"no page for {', '.join(sorted(unlisted))}: add it to website.places.GUIDES")
    return GUIDES | chapters


@cache
def extra_files() -> Mapping[str, str]:
    """Return the path on the site of each file of the repository that pages link to as it is."""
    specification = [
        *sorted((ROOT / "spec").rglob("*.json")),
        *sorted((ROOT / "spec" / "figures").glob("*.svg")),
    ]
    named = {
        f"spec/{path.relative_to(ROOT / 'spec')}": f"{SPECIFICATION}/{path.relative_to(ROOT / 'spec')}"
        for path in specification
    }
    measured = {
        f"conformance/measurement/{name}": f"measurements/{name}"
        for name in ("localisation.json", "unknown.json")
    }
    return named | measured | {"LICENSE": "LICENSE.txt", "vectors/LICENSE": "vectors-LICENSE.txt"}


def page_of_rule(rule: str) -> str:
    """Return the page of a rule, without suffix."""
    return f"rules/{rule}"
