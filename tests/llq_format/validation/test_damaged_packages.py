"""Damaged and forged packages: every changed byte is noticed, and the only results are findings.

Digest and hashes leave no byte unprotected, so a change by accident is always an error. A change with a new
digest makes another package: it breaks a rule, or it reads exactly as its own bytes specify.
"""

import json
import os
import re
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import llq_format
from llq_format import LLQError, save
from llq_format.metadata.rules import find
from tests.support import by_the_letter, sample_packages, tampering
from tests.support.invented_packages import Invented, packages

pytestmark = pytest.mark.slow

OPENED = ("read", "json", "version", "schema", "canonical", "model", "tensors", "parts", "files")
"""The stages that `open` checks."""


def errors(directory: Path) -> list[str]:
    """Return the rules that a package breaks; the reader must agree about the first error."""
    rules = tampering.rules(directory)
    early = [rule for rule in rules if find(rule).stage in OPENED]
    try:
        llq_format.open(directory).close()
        refused = None
    except LLQError as error:
        refused = error.finding.rule
    assert refused == (early[0] if early else None)
    return rules


@st.composite
def damages(draw: st.DrawFn, data: bytes) -> bytes:
    """Return the bytes with one of them changed, inserted or deleted, or with a tail cut off or added."""
    at = draw(st.integers(0, len(data) - 1))
    kind = draw(st.sampled_from(["change", "bit", "insert", "delete", "cut", "append"]))
    if kind == "cut":
        return data[:at]
    if kind == "append":
        return data + draw(st.binary(min_size=1, max_size=300))
    if kind == "insert":
        return data[:at] + draw(st.binary(min_size=1, max_size=2)) + data[at:]
    if kind == "delete":
        return data[:at] + data[at + 1 :]
    flip = 1 << draw(st.integers(0, 7)) if kind == "bit" else draw(st.integers(1, 255))
    return data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]


@settings(max_examples=30)
@given(packages(), st.data())
def test_any_damage_to_any_file_is_noticed(invented: Invented, data: st.DataObject) -> None:
    with TemporaryDirectory() as parent:
        directory = Path(parent) / "package"
        invented.write(directory)
        for path in sorted(directory.iterdir()):
            intact = path.read_bytes()
            path.write_bytes(data.draw(damages(intact)))
            assert errors(directory) != [], path.name
            path.unlink()
            assert errors(directory) != [], path.name
            path.write_bytes(intact)
        assert errors(directory) == []


def test_a_change_of_any_byte_of_a_small_index_is_noticed(tmp_path: Path) -> None:
    save(tmp_path / "p", {"w": np.ones(1, np.float32)}, extras={})
    path = tmp_path / "p" / "metadata.json"
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert tampering.rules(tmp_path / "p"), at
        path.write_bytes(data[:at] + data[at + 1 :])
        assert tampering.rules(tmp_path / "p"), at


def test_truncation_of_the_index_at_any_length_is_noticed(tmp_path: Path) -> None:
    save(tmp_path / "p", {"w": np.ones(1, np.float32)})
    path = tmp_path / "p" / "metadata.json"
    data = path.read_bytes()
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert errors(tmp_path / "p"), length


# ---- With a new digest ----

SMALL = st.integers(-2, 70)
LARGE = st.sampled_from([255, 256, 257, 512, 2**31 - 1, 2**31, 2**32 - 256, 2**32, 2**53 - 1])
WORDS = ["", "1.0", "f16", "f32", "int4_affine", "int4_symmetric", "a", "A", "..", "0" * 64]
LIKE: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: SMALL | LARGE,
    float: st.sampled_from([0.0, 0.5, 1e-5, 1e300]),
    str: st.sampled_from(WORDS),
    list: st.sampled_from([[], [[]], [0], [0, 0], ["ACME_x"]]),
    dict: st.sampled_from([{}, {"ACME_x": {}}]),
    type(None): st.none() | SMALL,
}
"""Other values for a value of that type."""


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) below a JSON value but in extras, where anything goes."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys if key != "extras" for place in [(value, key), *places(value[key])]]


@st.composite
def forgeries(draw: st.DrawFn, metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata with one or two values replaced, nudged, removed, doubled or exchanged."""
    root = deepcopy(metadata)
    for _ in range(draw(st.integers(1, 2))):
        locations = places(root)
        if not locations:
            break
        holder, key = locations[draw(st.integers(0, len(locations) - 1))]
        value = holder[key]
        kind = draw(
            st.sampled_from(
                ["like", "like", "nudge", "nudge", "other", "remove", "double", "exchange", "unknown"]
            )
        )
        if kind == "nudge" and type(value) is int:
            holder[key] = value + draw(st.sampled_from([-256, -64, -1, 1, 64, 256]))
        elif kind == "other":
            holder[key] = draw(st.one_of(*LIKE.values()))
        elif kind == "remove":
            del holder[key]
        elif kind == "double" and isinstance(holder, list):
            holder.insert(key, deepcopy(value))
        elif kind == "exchange":
            second, name = locations[draw(st.integers(0, len(locations) - 1))]
            holder[key], second[name] = deepcopy(second[name]), deepcopy(value)
        elif kind == "unknown" and isinstance(value, dict):
            value[draw(st.sampled_from(["extras", "extensions", "x"]))] = draw(LIKE[dict])
        else:
            holder[key] = draw(LIKE[type(value)])
    return root


@settings(max_examples=200)
@given(packages(), st.data())
def test_a_forged_index_breaks_a_rule_or_means_what_it_says(invented: Invented, data: st.DataObject) -> None:
    with TemporaryDirectory() as parent:
        directory = Path(parent) / "package"
        invented.write(directory)
        forged = data.draw(forgeries(tampering.read(directory)))
        (directory / "metadata.json").write_bytes(tampering.seal(forged))
        if errors(directory):
            return
        with llq_format.open(directory) as package:
            for name in package:
                bits = package.get_tensor(name).view(np.uint32).ravel().tolist()
                assert bits == by_the_letter.weights(directory, name)


@settings(max_examples=100)
@given(st.data())
def test_forged_bytes_of_a_shard_break_a_rule_or_mean_what_they_say(data: st.DataObject) -> None:
    with TemporaryDirectory() as parent:
        directory = Path(parent) / "package"
        with patch.object(os, "fsync"):
            metadata = sample_packages.write_tensors(directory)
        shard = data.draw(st.integers(0, 4))
        offset = data.draw(st.integers(0, metadata.shards[shard].byte_length - 2))
        tampering.overwrite(directory, shard, offset, data.draw(st.binary(min_size=2, max_size=2)))
        broken = errors(directory)
        for tensor in metadata.tensors:
            if shard not in [part.shard for part in tensor.parts]:
                continue
            with llq_format.open(directory) as package:
                try:
                    actual = package.get_tensor(tensor.name)
                except LLQError as error:
                    assert error.finding.rule in broken  # noqa: PT017  # the other outcome is not an error
                    continue
            assert actual.view(np.uint32).ravel().tolist() == by_the_letter.weights(directory, tensor.name)


def test_forgeries_of_the_text_that_json_parsers_take_differently_are_refused(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "p")
    path = tmp_path / "p" / "metadata.json"
    text = path.read_bytes().decode()
    forgeries_ = {
        "a second member": text.replace('"stem":', '"stem":"other","stem":'),
        "a second member, escaped": text.replace('"stem":', '"ste\\u006d":"other","stem":'),
        "an escape": text.replace('"stem"', '"\\u0073tem"'),
        "an escaped value": text.replace('"1.0"', '"1\\u002e0"'),
        "a fraction": re.sub(r'"shard_limit":(\d+)', r'"shard_limit":\1.0', text),
        "an exponent": re.sub(r'"offset":256', '"offset":256e0', text, count=1),
        "a plus sign": re.sub(r'"offset":256', '"offset":+256', text, count=1),
        "white space": text.replace(":", ": ", 1),
        "a newline at the end": text + "\n",
        "a NUL at the end": text + "\0",
        "a comment": text.replace("{", "{/**/", 1),
        "other order": json.dumps(dict(reversed(json.loads(text).items())), separators=(",", ":")),
    }
    for name, forged in forgeries_.items():
        path.write_bytes(_redigested(forged))
        assert errors(tmp_path / "p"), name


def _redigested(text: str) -> bytes:
    """Return text with the digest that its own bytes have, so that the digest gives nothing away."""
    blank = re.sub(r'"digest":"[0-9a-f]{64}"', '"digest":"' + "0" * 64 + '"', text, count=1)
    return blank.replace("0" * 64, sha256(blank.encode()).hexdigest(), 1).encode()
