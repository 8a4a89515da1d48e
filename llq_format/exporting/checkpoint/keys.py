"""Typed look-ups in a configuration, whose error messages name the file and the key."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llq_format.exporting.checkpoint.checkpoint import CheckpointError

JSON_LIMIT = 64 * 2**20
"""Maximum length of a JSON file, in bytes, which bounds the memory of the parser."""


class Keys:
    """A mapping from names to values of unknown types, read from `file`.

    A key with value null counts as absent. A look-up without a default requires the key.
    """

    def __init__(self, values: Mapping[str, Any], file: str, prefix: str = "") -> None:
        """Look up in `values`; `prefix` precedes the keys in messages."""
        self.values = values
        self.file = file
        self.prefix = prefix

    def error(self, key: str, complaint: str) -> CheckpointError:
        """Return the error of an unsuitable value of `key`."""
        return CheckpointError(f"{self.file}: {self.prefix}{key} {complaint}")

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of any type, or `default`."""
        value = self.values.get(key)
        return default if value is None else value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer from `low` to `high`."""
        value = self._present(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(key, f"is {_value_text(value)}, not an integer from {low} to {high}")
        return value

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """Return a number from `low` to `high`."""
        value = self._present(key, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise self.error(key, f"is {_value_text(value)}, not a number from {low:g} to {high:g}")
        return float(value)

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return a boolean."""
        value = self._present(key, default)
        if not isinstance(value, bool):
            raise self.error(key, f"is {_value_text(value)}, not true or false")
        return value

    def string(self, key: str, default: str | None = None) -> str:
        """Return a string."""
        value = self._present(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"is {_value_text(value)}, not a string")
        return value

    def array(self, key: str, kind: type) -> list[Any]:
        """Return an array, all of whose elements are of type `kind`."""
        value = self._present(key, None)
        if not isinstance(value, list) or not all(type(element) is kind for element in value):
            raise self.error(key, f"is not an array of {kind.__name__}")
        return value

    def section(self, key: str) -> "Keys | None":
        """Return the object under `key`, or None if it is absent."""
        value = self.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(key, f"is {_value_text(value)}, not an object")
        return None if value is None else Keys(value, self.file, f"{self.prefix}{key}.")

    def _present(self, key: str, default: Any) -> Any:
        value = self.get(key, default)
        if value is None:
            raise self.error(key, "is missing")
        return value


def read_json(path: Path) -> Keys:
    """Read a file that holds one JSON object; raises CheckpointError."""
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    if path.stat().st_size > JSON_LIMIT:
        raise CheckpointError(f"{path}: is longer than {JSON_LIMIT} bytes, the maximum length of a JSON file")
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path}: not a JSON object")
    return Keys(value, path.name)


def _value_text(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
