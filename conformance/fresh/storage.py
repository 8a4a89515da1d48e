"""A directory of vectors that holds one fresh vector, as `--vectors` takes it."""

import json
from pathlib import Path
from typing import Any

from .questions import Question


def store(question: Question, name: str, home: Path) -> None:
    """Write the vector of a question. Raises ValueError if the question has no certain answer."""
    members, files = question.answer(f"{question.kind}/{name}")
    entry = {
        "id": name,
        "kind": question.kind,
        "description": "Random; the member `drawn` of index.json says what was drawn.",
        "drawn": repr(question),
        "rules": list(question.rules),
        **members,
    }
    write([entry], files, home)


def write(entries: list[dict[str, Any]], files: dict[str, bytes], home: Path) -> None:
    """Write vectors and their index into a new directory."""
    for path, data in files.items():
        (home / path).parent.mkdir(parents=True, exist_ok=True)
        (home / path).write_bytes(data)
    index = {"version": "1.0", "fresh": True, "vectors": entries}
    text = json.dumps(index, indent=1, ensure_ascii=False) + "\n"
    home.mkdir(parents=True, exist_ok=True)
    (home / "index.json").write_text(text, encoding="utf-8")
