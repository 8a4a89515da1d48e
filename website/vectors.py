"""The golden vectors as rule pages show them: what each is, and the bytes that matter."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from conformance.core.vectors import spliced
from conformance.reporting.html.markup import Html, element
from website.hex_view import beginning, difference, json_difference
from website.places import ROOT

_DATA = ROOT / "vectors" / "data"
_LARGE = 1 << 16
"""Length from which a file is not looked into, in bytes."""

Entry = Mapping[str, Any]
Files = Mapping[str, bytes]


@cache
def by_rule() -> Mapping[str, list[Entry]]:
    """Return the vectors that name each rule, those about it first, by rule id."""
    entries = json.loads((_DATA / "index.json").read_text(encoding="utf-8"))["vectors"]
    table: dict[str, list[Entry]] = {}
    for entry in entries:
        for rule in entry["rules"]:
            table.setdefault(rule, []).append(entry)
    return {rule: _first_about(rule, found) for rule, found in table.items()}


def _first_about(rule: str, entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: bool(entry["rules"][0] != rule))


def details(entry: Entry) -> Html:
    """Return what a reader can unfold about a vector: its bytes, its setup or its question."""
    if entry["kind"] == "invalid":
        return _of_invalid(entry)
    if entry["kind"] == "valid":
        return _of_valid(entry)
    hidden = ("id", "kind", "description", "rules")
    facts = {key: value for key, value in entry.items() if key not in hidden}
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    return _folded("The vector", element("pre", text if len(text) < 2000 else text[:2000] + "\n…"))


def _of_valid(entry: Entry) -> Html:
    shards = [data for name, data in _files(entry["path"]).items() if name.lower().endswith(".llq")]
    return (
        _folded("First bytes of the first shard", element("pre", beginning(shards[0])))
        if shards
        else Html("")
    )


def _of_invalid(entry: Entry) -> Html:
    files, steps = _prepared(entry)
    parts = [element("li", element("code", json.dumps(step))) for step in steps]
    setup = _folded("Setup before the package is used", element("ol", *parts)) if parts else Html("")
    base = nearest(files)
    if base is None:
        return setup
    control, files, original = base
    names = [name for name in sorted({*files, *original}) if files.get(name) != original.get(name)]
    if len(names) > 1 and _only_hashes(original.get("metadata.json"), files.get("metadata.json")):
        names.remove("metadata.json")
    views = [
        Html(
            element("p", element("code", name)) + _file_difference(original.get(name), files.get(name), name)
        )
        for name in names
    ]
    title = f"Difference from the valid vector {control}"
    return Html(setup + (_folded(title, *views) if views else ""))


def _file_difference(before: bytes | None, after: bytes | None, name: str) -> Html:
    if before is None or after is None:
        return element("p", "The file is added." if before is None else "The file is missing.")
    changed = json_difference(before, after) if name.endswith(".json") else None
    return changed or difference(before, after)


def _only_hashes(before: bytes | None, after: bytes | None) -> bool:
    """Return whether two metadata have the same length and differ in hexadecimal digits alone."""
    if before is None or after is None or before == after or len(before) != len(after):
        return False
    digits = b"0123456789abcdef"
    return all(a == b or (a in digits and b in digits) for a, b in zip(before, after, strict=True))


def _prepared(entry: Entry) -> tuple[Files, list[Any]]:
    """Return the small files of a package after its splices, and the other steps of its setup."""
    files, steps = dict(_files(entry["path"])), entry["setup"]
    if any("count" in step for step in steps):  # a difference of megabytes helps nobody
        return files, steps
    others = []
    for step in steps:
        if step["op"] == "splice" and step["file"] in files:
            files[step["file"]] = spliced(files[step["file"]], step)
        else:
            others.append(step)
    return files, others


def nearest(files: Files) -> tuple[str, Files, Files] | None:
    """Return the valid vector whose package is most similar, with the files of both; None without files."""
    if not files:
        return None
    control = min(_controls(), key=lambda name: _distance(_controls()[name], files))
    return control, files, _controls()[control]


@cache
def _controls() -> Mapping[str, Files]:
    """Return the files of the valid vectors that invalid ones are changes of, by id."""
    entries = json.loads((_DATA / "index.json").read_text(encoding="utf-8"))["vectors"]
    valid = {entry["id"]: _files(entry["path"]) for entry in entries if entry["kind"] == "valid"}
    return {
        name: files for name, files in valid.items() if name.startswith("control") or "program.json" in files
    }


def _distance(control: Files, files: Files) -> int:
    return sum(
        _bytes_that_differ(control.get(name, b""), files.get(name, b"")) for name in {*control, *files}
    )


def _bytes_that_differ(one: bytes, other: bytes) -> int:
    if one == other:
        return 0
    shorter = min(len(one), len(other))
    first, second = (np.frombuffer(data, np.uint8, shorter) for data in (one, other))
    return int((first != second).sum()) + abs(len(one) - len(other))


@cache
def _files(path: str) -> Files:
    """Return the small regular files of a package, by name."""
    folder = _DATA / path
    found = sorted(folder.iterdir()) if folder.is_dir() else []
    return {file.name: file.read_bytes() for file in found if _is_small(file)}


def _is_small(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and file.stat().st_size < _LARGE


def _folded(title: str, *content: Html) -> Html:
    return element("details", element("summary", title), *content)
