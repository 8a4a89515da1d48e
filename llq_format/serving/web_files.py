"""The location of the files of `web/`: the JavaScript runtime and the demo page."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent

BUNDLE = Path("dist", "webgpu-llama4.js")
"""The bundle of the runtime and its dependencies, built from the sources of `web/`."""


def web_folder() -> Path:
    """Return the folder of the web files, in the installed package or the source tree.

    Raises ValueError with a remedy if the files are missing or not built.
    """
    for folder in (_PACKAGE / "web", _PACKAGE.parent / "web"):
        if (folder / "demo" / "index.html").is_file():
            if not (folder / BUNDLE).is_file():
                raise ValueError(f"{folder / BUNDLE} is not built: run npm ci and npm run build in {folder}")
            return folder
    raise ValueError(
        "the demo page is not installed: install llq-format from a wheel, or run it from the source tree"
    )
