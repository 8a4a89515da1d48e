"""What an editable installation copies: what pytest loads, and nothing else of the suite."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableHook(BuildHookInterface[Any]):
    """Keeps a copy of the suite, which would grow stale, out of editable installations."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Replace the files that pyproject.toml adds to the wheel; `version` is standard or editable."""
        if version == "editable":
            discovery = "llq_conformance/discovery.py"
            build_data["force_include_editable"]["conformance/discovery.py"] = discovery
