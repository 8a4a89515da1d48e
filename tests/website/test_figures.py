"""The figures of the specification are those that are drawn, and each is shown and described."""

import re
from xml.etree import ElementTree as ET

import pytest

from tests.support.chapters import CHAPTERS
from tests.support.repository import SPEC
from website.figures import FIGURES

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_the_one_that_is_drawn(name: str) -> None:
    text = (SPEC / "figures" / f"{name}.svg").read_text(encoding="utf-8")
    assert text == FIGURES[name](), "run `python -m website.figures`"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_title_and_a_description_and_a_dark_scheme(name: str) -> None:
    root = ET.fromstring(FIGURES[name]())  # noqa: S314 - our own figure
    title, description = root.findtext(f"{SVG}title"), root.findtext(f"{SVG}desc")
    assert title
    assert description
    assert len(description) > len(title)
    assert root.get("role") == "img"
    assert "prefers-color-scheme: dark" in (root.findtext(f"{SVG}style") or "")


def test_the_folder_has_no_other_figures() -> None:
    assert {path.stem for path in (SPEC / "figures").iterdir()} == set(FIGURES)


def test_images_of_chapters_have_a_text_and_exist() -> None:
    images = [image for text in CHAPTERS.values() for image in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text)]
    assert images
    for alternative, file in images:
        assert alternative
        assert (SPEC / file).is_file()
