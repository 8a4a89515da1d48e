"""What a wheel has beyond pyproject.toml: chapters; an editable one copies what pytest loads, and no more."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableHook(BuildHookInterface[Any]):
    """Keeps a copy of the suite, which would grow stale, out of editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Replace the files that pyproject.toml adds to the wheel; `version` is standard or editable."""
        for chapter in Path(self.root, "spec").glob("*.md"):  # reports link to them
            build_data["force_include"][str(chapter)] = f"llq_conformance/spec/{chapter.name}"
        if version == "editable":
            discovery = "llq_conformance/discovery.py"
            build_data["force_include_editable"]["conformance/discovery.py"] = discovery
