"""Directories of fresh vectors, as `--vectors` takes them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .questions import Question


def store(question: Question, name: str, home: Path) -> None:
    """Write the vector of a question. Raises ValueError if the question has no certain answer."""
    members, files = question.answer(f"{question.kind}/{name}")
    for path, data in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(data)
    entry = {
        "id": name,
        "kind": question.kind,
        "description": "Random; the member `drawn` of index.json says what was drawn.",
        "drawn": repr(question),
        "rules": list(question.rules),
        **members,
    }
    write_index([entry], home)


def write_array(array: NDArray[Any], path: str, home: Path) -> str:
    """Write an array below a directory, and return its path there."""
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    np.save(home / path, array, allow_pickle=False)
    return path


def write_index(entries: list[dict[str, Any]], home: Path) -> None:
    """Write the index of a directory of fresh vectors."""
    index = {"version": "1.0", "fresh": True, "vectors": entries}
    home.mkdir(parents=True, exist_ok=True)
    text = json.dumps(index, indent=1, ensure_ascii=False) + "\n"
    (home / "index.json").write_text(text, encoding="utf-8")
