"""JSON values as YAML in block style, for Kaitai Struct definitions."""

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}  # YAML reads these as other values


def yaml_text(value: Any, indent: str = "") -> str:
    """Return a mapping, or a list of mappings, as lines of YAML."""
    if isinstance(value, dict):
        return "".join(_member(key, item, indent) for key, item in value.items())
    lines = (yaml_text(item, f"{indent}  ") for item in value)
    return "".join(f"{indent}- {text[len(indent) + 2 :]}" for text in lines)


def _member(key: str, value: Any, indent: str) -> str:
    if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
        return f"{indent}{key}:\n{yaml_text(value, f'{indent}  ')}"
    if isinstance(value, str) and value.endswith("\n"):
        lines = "".join(f"{indent}  {line}\n" for line in value.splitlines())
        return f"{indent}{key}: |\n{lines}"
    return f"{indent}{key}: {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)
