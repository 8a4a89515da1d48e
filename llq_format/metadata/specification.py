"""The files of `spec/` that the code uses: the registry of rules and the JSON Schemas."""

import json
from pathlib import Path
from typing import Any

_PACKAGE = Path(__file__).parents[1]


def specification_path(name: str) -> Path:
    """Return the path of a file of the specification, in the installed package or the source tree."""
    installed = _PACKAGE / "spec" / name
    return installed if installed.exists() else _PACKAGE.parent / "spec" / name


def read_json(name: str) -> Any:
    """Return the parsed JSON file `name` of the specification."""
    return json.loads(specification_path(name).read_text(encoding="utf-8"))
