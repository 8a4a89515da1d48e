"""Both implementations name the same rule for the first error of a program.json."""

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import llq_format
from llq_format.metadata.canonical_json import canonical
from llq_format.package.attach_program import attach
from llq_format.synth import synth
from llq_format.validation.module import check_module
from llq_format.validation.program import check_program, check_program_text
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from tests.web.test_node import dependencies, node

pytestmark = pytest.mark.slow

__all__ = ["dependencies"]  # the fixture that installs npm's packages

Json = Any
VALUES: tuple[Json, ...] = (
    *(None, True, -1, 0, 9, 256, 300, 65536, 99999, 2**31, 2**32, 0.5, 1e30, 1e39),
    *("", "a", "a" * 65, "a" * 161, "a" * 201, "A b", "enable f16;", "rope"),
    *([], ["a", "a"], ["read"] * 9, {}, {"f32": 0.5}, {"tokens_per_workgroup": 0}),
)
"""Values that replace each kind of value in a program."""

MEMBERS = ("a", "a" * 161, "__proto__", "0")
"""Names of members that are added to each kind of object."""


ALIKE = {"logits": "decode", "prefill": "decode", "last": "greedy", "sample": "greedy"}
"""Passes whose dispatches are checked like those of another pass."""


def test_both_checkers_judge_every_changed_program_the_same(tmp_path: Path, dependencies: None) -> None:  # noqa: ARG001
    directory = tmp_path / "tiny"
    synth("tiny", directory, shard_limit=1 << 16)
    attach(directory, module_bytes(), program_maker())
    program = json.loads((directory / "program.json").read_bytes())
    texts = [canonical(changed) for changed in _changed(_shortened(program))]
    assert len(texts) > 1000
    (tmp_path / "texts.json").write_text(json.dumps([text.decode() for text in texts]), "utf-8")
    process = node("node", "test/support/judge_programs.mjs", str(directory), str(tmp_path / "texts.json"))
    assert process.returncode == 0, process.stderr
    with llq_format.open(directory) as package:
        metadata, model = package.metadata, package.metadata.model
    assert model is not None
    sections, _ = check_module(module_bytes(), "module.wgsl")
    rules = []
    for text in texts:
        value, findings = check_program_text(text)
        findings = findings or check_program(value, metadata, model, sections)
        rules.append(min(findings, key=lambda finding: finding.order).rule if findings else None)
    differences = [
        (text, own, judged)
        for text, own, judged in zip(texts, rules, json.loads(process.stdout), strict=True)
        if own != judged
    ]
    assert differences == []
    assert {"LLQ-PROG-3", "LLQ-PROG-4", "LLQ-PROG-17", None} <= set(rules)


def _shortened(program: Json) -> Json:
    """Return a program with one dispatch in each pass, and what that needs."""
    passes = {name: dispatches[:1] for name, dispatches in program["passes"].items()}
    dispatches = [dispatch for (dispatch,) in passes.values()]
    used = {name for dispatch in dispatches for name in dispatch["bindings"]}
    used |= {"state", "sampling", "tokens", "logits", "all_logits"}
    entry_points = {dispatch["entry_point"] for dispatch in dispatches}
    return {
        **program,
        "passes": passes,
        "weights": {name: value for name, value in program["weights"].items() if name in used},
        "buffers": {name: value for name, value in program["buffers"].items() if name in used},
        "pipelines": {name: value for name, value in program["pipelines"].items() if name in entry_points},
    }


def _changed(program: Json) -> Iterator[Json]:
    """Yield programs that differ in one value, of each kind of place one."""
    yield program
    for path in _paths(program):
        for value in VALUES:
            yield _with(program, path, value)
        parent, last = _at(program, path[:-1]), path[-1]
        if isinstance(parent, dict):
            yield _with(program, path[:-1], {name: item for name, item in parent.items() if name != last})
            for name in MEMBERS:
                yield _with(program, path[:-1], {**parent, name: parent[last]})
        else:
            yield _with(program, path[:-1], [*parent, parent[last]])
            yield _with(program, path[:-1], [*parent[:last], *parent[last + 1 :]])


def _paths(program: Json) -> list[tuple[Any, ...]]:
    """Return the path of one value of each kind, in which names and indices below the top are equal."""
    kinds: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def visit(value: Json, path: tuple[Any, ...]) -> None:
        if path:
            kinds.setdefault((*_kind(path), type(value).__name__), path)
        if isinstance(value, list):
            value = dict(enumerate(value))
        if isinstance(value, dict):
            for step, item in value.items():
                visit(item, (*path, step))

    visit(program, ())
    return list(kinds.values())


def _kind(path: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a path without names of resources, indices, and passes below their members."""
    steps = ["*" if isinstance(step, int) else step for step in path]
    if len(path) > 1 and path[0] in {"weights", "buffers", "pipelines"}:
        steps[1] = "*"
    if len(path) > 2 and path[0] == "passes":
        steps[1] = ALIKE.get(path[1], path[1])
    return tuple(steps)


def _at(value: Json, path: tuple[Any, ...]) -> Json:
    for step in path:
        value = value[step]
    return value


def _with(program: Json, path: tuple[Any, ...], value: Json) -> Json:
    if not path:
        return value
    changed = deepcopy(program)
    _at(changed, path[:-1])[path[-1]] = value
    return changed
