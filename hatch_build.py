"""Additions of the wheels to pyproject.toml: chapters, web files; editable ones only what pytest loads."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB = {
    "demo": "llq_format/web/demo",
    "dist/webgpu-llama4.js": "llq_format/web/dist/webgpu-llama4.js",
    "harness/index.html": "llq_conformance/web/harness/index.html",
    "harness/harness.css": "llq_conformance/web/harness/harness.css",
    "dist/harness.js": "llq_conformance/web/dist/harness.js",
    "dist/adapter.mjs": "llq_conformance/web/dist/adapter.mjs",
}
"""Files of `web/` and where they go: what `llq serve` gives out, and what the suite does."""


class EditableHook(BuildHookInterface[Any]):
    """Keeps a copy of the suite, which would grow stale, out of editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Replace the files that pyproject.toml adds to the wheel; `version` is standard or editable."""
        for chapter in Path(self.root, "spec").glob("*.md"):  # reports link to them
            build_data["force_include"][str(chapter)] = f"llq_conformance/spec/{chapter.name}"
        if version != "editable":
            build_data["force_include"].update(self._web())
        else:
            build_data["force_include_editable"]["conformance/plugin.py"] = "llq_conformance/plugin.py"

    def _web(self) -> dict[str, str]:
        """Return the web files, if they were built: without them there is no page for browsers."""
        web = Path(self.root, "web")
        if missing := [name for name in WEB if not (web / name).exists()]:
            self.app.display_warning(
                f"web/{missing[0]} is not there, so this wheel has no page for browsers: "
                "run npm ci --ignore-scripts and npm run build in web before"
            )
            return {}
        return {str(web / name): target for name, target in WEB.items()}
