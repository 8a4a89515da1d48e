"""Where the files of `web/` lie: the JavaScript runtime, and the demo page."""

from pathlib import Path

_PACKAGE = Path(__file__).parent.parent

BUNDLE = Path("dist", "webgpu-llama4.js")
"""The runtime and what it depends on in one file, made of the sources of `web/` by its build."""


def web_folder() -> Path:
    """Return the folder of the web files, in the installed package or the source tree.

    Raises ValueError, with what to do, if they are not there, or not built.
    """
    for folder in (_PACKAGE / "web", _PACKAGE.parent / "web"):
        if (folder / "demo" / "index.html").is_file():
            if not (folder / BUNDLE).is_file():
                raise ValueError(f"{folder / BUNDLE} is not built: run npm ci and npm run build in {folder}")
            return folder
    raise ValueError(
        "the demo page is not installed: install llq-format from a wheel, or run its source tree"
    )
