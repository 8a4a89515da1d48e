"""The build of the site: sources are written into a folder of their own, and Sphinx makes pages of them."""

import shutil
from pathlib import Path

from sphinx.application import Sphinx

from website import accessibility, chapters, guides, measurements, reports, rule_pages, terms
from website.places import ROOT, extra_files

_WEBSITE = Path(__file__).parent


def build(output: Path) -> None:
    """Build the site into a folder, which is replaced. Raises SphinxError if a link leads nowhere."""
    output = output.resolve()
    work = output.with_name(output.name + "-sources")
    for folder in (output, work):
        shutil.rmtree(folder, ignore_errors=True)
    write_sources(work / "pages", work / "files")
    sphinx = Sphinx(
        srcdir=work / "pages",
        confdir=_WEBSITE,
        outdir=output,
        doctreedir=work / "doctrees",
        buildername="html",
        confoverrides={"html_extra_path": [str(work / "files")]},
        warningiserror=True,
        status=None,
    )
    sphinx.build()
    if sphinx.statuscode:
        raise RuntimeError("Sphinx failed: see the warnings above")
    accessibility.complete(output)
    shutil.rmtree(work)


def write_sources(pages: Path, files: Path) -> None:
    """Write the Markdown of all pages into one folder, and the files that they link to into another."""
    guides.write(pages)
    chapters.write(pages)
    terms.write(pages)
    rule_pages.write(pages)
    measurements.write(pages)
    reports.write(pages, files)
    for source, path in extra_files().items():
        target = files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / source, target)
