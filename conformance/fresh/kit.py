"""The kit of the vectors: it writes packages and computes expected values without any runtime."""

import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from ..core.data import data

NAME = "vectors"
"""The name by which the modules of the kit import each other."""


class KitError(Exception):
    """The kit cannot be imported."""


def kit(module: str) -> Any:
    """Return a module of the kit, which is next to the vectors. Raises KitError."""
    home = data(NAME)
    if NAME not in sys.modules:
        _register(home)
    places = [Path(place).resolve() for place in getattr(sys.modules[NAME], "__path__", ())]
    if home.resolve() not in places:
        raise KitError(f"another package named {NAME} is imported, from {', '.join(map(str, places))}")
    return import_module(f"{NAME}.kit.{module}")


def _register(home: Path) -> None:
    """Make the package of the kit importable under its name, wherever it is installed."""
    spec = spec_from_file_location(NAME, home / "__init__.py", submodule_search_locations=[str(home)])
    if spec is None or spec.loader is None or not (home / "kit").is_dir():
        raise KitError(f"{home} has no kit")
    sys.modules[NAME] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[NAME])
