"""Validation: all findings of a package, in order, each at its place; stages that stop others.

The rules one by one are tested by the vectors.
"""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import llq_format
from llq_format import Finding, LLQError, save, validate
from llq_format.metadata.rules import find, registry
from llq_format.metadata.specification import read_json
from tests.support import sample_packages, tampering
from tests.support.invented_packages import tensor

SHARD = "model-0000{}-of-00005.llq"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    sample_packages.write_tensors(tmp_path / "package")
    return tmp_path / "package"


def the_finding(path: Path) -> Finding:
    (finding,) = validate(path)
    return finding


# ---- What is there at all ----


def test_a_package_as_written_has_no_findings(tmp_path: Path) -> None:
    sample_packages.write_tensors(tmp_path / "tensors")
    sample_packages.write_model(tmp_path / "model")
    assert validate(tmp_path / "tensors") == []
    assert validate(tmp_path / "model") == []


def test_a_package_has_several_addresses(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "package", stem="m")
    (tmp_path / "link").symlink_to("package")
    for path in ("package", "package/", "link", "package/metadata.json", "package/m.wgsl"):
        assert validate(tmp_path / path) == []
        assert validate(str(tmp_path / path)) == []


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def make_link(path: Path) -> None:
    (path.parent / "real").write_bytes(b"{}")
    path.symlink_to("real")


def make_device_link(path: Path) -> None:
    path.symlink_to("/dev/zero")


ODD: dict[str, Callable[[Path], object]] = {
    "nothing": lambda _path: None,
    "a directory": Path.mkdir,
    "a FIFO": make_fifo,
    "a socket": make_socket,
    "a symbolic link": make_link,
    "a link to a device": make_device_link,
}


@pytest.mark.parametrize("kind", ODD)
def test_a_directory_without_a_regular_metadata_file_is_not_a_package(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    ODD[kind](Path("metadata.json"))
    assert the_finding(tmp_path).rule == "LLQ-PKG-1"
    assert the_finding(tmp_path / "metadata.json").rule == "LLQ-PKG-1"


def test_a_path_that_is_not_a_directory_is_not_a_package(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"{}")
    for path in (tmp_path / "missing", tmp_path / "file", tmp_path / "file" / "x", Path("a\0b")):
        assert the_finding(path).rule == "LLQ-PKG-1"


@pytest.mark.parametrize("kind", ODD)
def test_a_shard_must_be_a_regular_file(kind: str, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(package)
    Path(SHARD.format(5)).unlink()
    ODD[kind](Path(SHARD.format(5)))
    finding = the_finding(package)
    assert finding.rule == ("LLQ-PKG-6" if kind == "nothing" else "LLQ-PKG-7")
    assert finding.where.file == SHARD.format(5)
    with pytest.raises(LLQError, match=finding.rule):
        llq_format.open(package)


@pytest.mark.parametrize(
    ("length", "rule"), [(0, "PKG-2"), (1, "PKG-2"), (1 << 24, "JSON-2"), (1 << 40, "PKG-2")]
)
def test_metadata_has_a_minimum_and_a_maximum_length(tmp_path: Path, length: int, rule: str) -> None:
    (tmp_path / "metadata.json").touch()
    os.truncate(tmp_path / "metadata.json", length)
    assert the_finding(tmp_path).rule == f"LLQ-{rule}"


@pytest.mark.parametrize("length", [0, 255, 256, 5119, 5121, 1 << 40])
def test_a_shard_of_another_length_is_not_read(package: Path, length: int) -> None:
    os.truncate(package / SHARD.format(2), length)
    finding = the_finding(package)
    assert (finding.rule, finding.where.file) == ("LLQ-PKG-8", SHARD.format(2))
    assert finding.found == f"{length} bytes"


@pytest.mark.parametrize(
    "name", ["stray.llq", "STRAY.LLQ", "model-00006-of-00005.llq", ".hidden.llq", "é.Llq"]
)
def test_a_stray_shard_is_found(package: Path, name: str) -> None:
    (package / name).touch()
    assert the_finding(package).rule == "LLQ-PKG-9"


@pytest.mark.parametrize("name", ["README.md", "model.llq.bak", "llq", "LICENSE", "tokenizer.json"])
def test_other_files_may_be_present(package: Path, name: str) -> None:
    (package / name).write_text("x")
    assert validate(package) == []


def test_a_model_without_a_tokenizer_is_warned_of_and_valid(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "p", tokenizer=None)
    finding = the_finding(tmp_path / "p")
    assert (finding.rule, finding.severity) == ("LLQ-PKG-10", "warning")
    llq_format.open(tmp_path / "p").close()


# ---- All findings, in order ----


def test_errors_of_all_later_stages_are_found_at_once_in_order(tmp_path: Path) -> None:
    package = tmp_path / "p"
    save(package, {name: tensor(1, "f32", (64,)) for name in "abcde"}, shard_limit=512)

    def spoil(value: dict[str, Any]) -> None:
        value["extensions"] = {"ACME_x": {}}  # EXT-2
        value["tensors"][0]["name"], value["tensors"][1]["name"] = "b", "a"  # CANON-3
        value["tensors"][4]["parts"][0]["num_rows"] = 63  # PART-1; the length stays right

    tampering.overwrite(package, 1, 256, b"\0\0\xc0\x7f")  # RAW-2
    tampering.overwrite(package, 2, 40, b"\x01", rehash=False)  # SHARD-6, HASH-2
    tampering.overwrite(package, 3, 300, b"\x01", rehash=False)  # HASH-1, HASH-2
    tampering.edit(package, spoil)
    (package / "stray.llq").touch()  # PKG-9
    rules = [finding.rule.removeprefix("LLQ-") for finding in validate(package)]
    later = ["PKG-9", "SHARD-6", "HASH-1", "HASH-2", "HASH-2", "RAW-2"]
    assert rules == ["EXT-2", "CANON-3", "PART-1", *later]


def test_findings_of_one_rule_are_in_order_of_place(package: Path) -> None:
    for shard, offset in ((3, 300), (1, 200), (1, 100), (1, 22)):
        tampering.overwrite(package, shard, offset, b"\x01")
    places = [(f.rule, f.where.file, f.where.offset) for f in validate(package)]
    assert places == [
        ("LLQ-SHARD-6", SHARD.format(2), 22),
        ("LLQ-SHARD-6", SHARD.format(2), 100),
        ("LLQ-REC-4", SHARD.format(4), 300),
    ]


EARLY: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "json": (lambda data: b"\xef\xbb\xbf" + data.replace(b"1.0", b"3.0"), ["LLQ-JSON-1"]),
    "version": (lambda data: data.replace(b'"1.0"', b'"2.0"').replace(b"stem", b"stam"), ["LLQ-VER-1"]),
    "schema": (
        lambda data: data.replace(b"stem", b"stam").replace(b'"offset":256', b'"offset":257'),
        ["LLQ-META-1", "LLQ-META-2"],
    ),
}


@pytest.mark.parametrize("stage", EARLY)
def test_the_stages_up_to_schema_end_the_checking(package: Path, stage: str) -> None:
    change, expected = EARLY[stage]
    (package / SHARD.format(1)).unlink()
    path = package / "metadata.json"
    path.write_bytes(change(path.read_bytes()))
    assert tampering.rules(package) == expected


def test_errors_in_the_form_of_the_index_do_not_hide_later_errors(package: Path) -> None:
    path = package / "metadata.json"
    path.write_bytes(json.dumps(json.loads(path.read_bytes()), indent=1).encode())
    (package / SHARD.format(1)).unlink()
    assert tampering.rules(package) == ["LLQ-CANON-1", "LLQ-PKG-6"]
    (finding, _) = validate(package)
    assert finding.where.offset == 1


def test_every_version_but_this_one_is_refused_and_required_extensions_too(package: Path) -> None:
    def require(value: dict[str, Any]) -> None:
        value["version"] = "1.1"
        value["extensions_required"] = ["ACME_x", 3, "ACME_y"]

    tampering.edit(package, require)
    pointers = [(f.rule, f.where.pointer) for f in validate(package)]
    assert pointers == [
        ("LLQ-VER-1", "/version"),
        ("LLQ-EXT-1", "/extensions_required/0"),
        ("LLQ-EXT-1", "/extensions_required/2"),
    ]


def move(tensor: int, **changes: int) -> Callable[[dict[str, Any]], object]:
    """Return a change of the numbers of a tensor's first part."""
    return lambda value: value["tensors"][tensor]["parts"][0].update(changes)


def lengthen(value: dict[str, Any]) -> None:
    value["shards"][0]["byte_length"] += 256


# In a package of two tensors of 256 bytes each, in one shard of 768 bytes.
TILINGS: dict[str, tuple[Callable[[dict[str, Any]], object], list[str]]] = {
    "part in the preamble": (move(0, offset=0), ["PART-6", "PART-8"]),
    "part beyond the end": (move(1, offset=768), ["PART-6"]),
    "one byte range for two parts": (move(1, offset=256), ["PART-7", "PART-9"]),
    "hole after the preamble": (move(0, offset=512), ["PART-7", "PART-8"]),
    "bytes after the last part": (lengthen, ["PART-9"]),
}


@pytest.mark.parametrize("case", TILINGS)
def test_parts_tile_their_shard(tmp_path: Path, case: str) -> None:
    save(tmp_path / "p", {name: tensor(1, "f32", (64,)) for name in "ab"})
    change, expected = TILINGS[case]
    tampering.edit(tmp_path / "p", change)
    rules = [rule.removeprefix("LLQ-") for rule in tampering.rules(tmp_path / "p")]
    assert [rule for rule in rules if rule.startswith("PART")] == expected
    assert rules[0] == expected[0]


@pytest.mark.parametrize("offset", [20, 23, 32, 255])
def test_reserved_bytes_are_reserved_to_the_last(package: Path, offset: int) -> None:
    tampering.overwrite(package, 1, offset, b"\x80")
    assert the_finding(package).where.offset == offset


@pytest.mark.parametrize(
    ("scale", "rules"), [(0x03FF, ["LLQ-DEQ-1"]), (0x0400, []), (0x6FFF, []), (0x7000, ["LLQ-DEQ-2"])]
)
def test_the_smallest_and_largest_scales_are_legal(package: Path, scale: int, rules: list[str]) -> None:
    # 0x6FFF is 8188, and 8 times that is 65504.
    tampering.overwrite(package, 4, 512, scale.to_bytes(2, "little"))
    assert tampering.rules(package) == rules


def test_tiling_is_checked_only_where_offsets_and_lengths_are_right(package: Path) -> None:
    def spoil(value: dict[str, Any]) -> None:
        value["tensors"][0]["parts"][0]["offset"] = 300
        value["tensors"][2]["parts"][0]["offset"] = 512

    tampering.edit(package, spoil)
    assert [rule for rule in tampering.rules(package) if "PART" in rule] == ["LLQ-PART-4"]


def test_placement_is_checked_only_where_nothing_else_is_wrong_with_parts(package: Path) -> None:
    tampering.edit(package, lambda value: value.update(shard_limit=8192))
    assert tampering.rules(package) == ["LLQ-CANON-4"]
    tampering.edit(package, lambda value: value["tensors"][0]["parts"][0].update(num_rows=299))
    assert tampering.rules(package) == ["LLQ-PART-1"]


def test_the_bytes_of_a_part_that_is_misplaced_are_not_read(package: Path) -> None:
    tampering.overwrite(package, 0, 256, b"\x00\x7c", rehash=False)
    tampering.edit(package, lambda value: value["tensors"][0]["parts"][0].update(num_rows=301))
    assert tampering.rules(package) == ["LLQ-PART-1", "LLQ-HASH-2"]  # neither HASH-1 nor RAW-2


def test_the_parts_of_a_tensor_of_impossible_shape_are_not_checked(package: Path) -> None:
    tampering.edit(package, lambda value: value["tensors"][1].update(shape=[130]))
    assert tampering.rules(package) == ["LLQ-TENSOR-6"]
    tampering.edit(package, lambda value: value["tensors"][1].update(shape=[(1 << 31) - 1] * 2))
    assert tampering.rules(package) == ["LLQ-TENSOR-7"]


def layer_of(value: dict[str, Any], number: int) -> dict[str, Any]:
    layer: dict[str, Any] = value["model"]["layers"][number]
    return layer


# The sample model has 2 layers, the first with RoPE and experts, 4 heads and a vocabulary of 10.
RELATIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str | None]] = {
    "heads no multiple": (lambda v: v["model"].update(num_kv_heads=3), "MODEL-1"),
    "norm without RoPE": (lambda v: layer_of(v, 1)["attention"].update(qk_norm=True), "MODEL-2"),
    "temperature with RoPE": (
        lambda v: layer_of(v, 0)["attention"].update(temperature={"attn_scale": 0, "floor_scale": 1}),
        "MODEL-2",
    ),
    "experts without gates": (lambda v: layer_of(v, 0)["ffn"].update(gated=False), "MODEL-3"),
    "binary16 in all layers": (lambda v: v["model"]["activations"].update(fp16_layers=2), None),
    "binary16 in more layers": (lambda v: v["model"]["activations"].update(fp16_layers=3), "MODEL-4"),
    "last token": (lambda v: v["tokenizer"].update(bos_token_id=9, eos_token_ids=[9]), None),
    "first token too large": (lambda v: v["tokenizer"].update(bos_token_id=10), "MODEL-5"),
    "end token too large": (lambda v: v["tokenizer"].update(eos_token_ids=[0, 10]), "MODEL-5"),
}


@pytest.mark.parametrize("case", RELATIONS)
def test_the_members_of_a_model_go_together(tmp_path: Path, case: str) -> None:
    sample_packages.write_model(tmp_path / "p")
    change, rule = RELATIONS[case]
    tampering.edit(tmp_path / "p", change)
    assert tampering.rules(tmp_path / "p")[:1] == ([] if rule is None else [f"LLQ-{rule}"])


def test_a_missing_tensor_of_a_model_hides_shapes_and_order(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "p")

    def spoil(value: dict[str, Any]) -> None:
        value["tensors"][0]["name"] = "embeddings"
        value["tensors"][1]["dtype"] = "int4_affine"
        value["tensors"].reverse()

    tampering.edit(tmp_path / "p", spoil)
    stages = {rule: find(rule).stage for rule in tampering.rules(tmp_path / "p")}
    assert [rule for rule, stage in stages.items() if stage == "tensors"] == ["LLQ-TENSOR-3"]


def test_a_missing_shard_does_not_hide_errors_in_the_others(package: Path) -> None:
    (package / SHARD.format(1)).unlink()
    tampering.overwrite(package, 3, 300, b"\x01", rehash=False)
    assert tampering.rules(package) == ["LLQ-PKG-6", "LLQ-REC-4", "LLQ-HASH-1", "LLQ-HASH-2"]


# ---- How findings are written ----


def every_finding(package: Path) -> list[Finding]:
    """Return findings of many kinds of place."""
    tampering.overwrite(package, 4, 256, b"\x01\x01", rehash=False)
    tampering.edit(package, lambda value: value.update(extensions={"ACME_x": {}}))
    (package / SHARD.format(1)).unlink()
    (package / "\x1b[31m.llq").touch()
    return validate(package)


def test_findings_are_written_as_their_schema_says(package: Path) -> None:
    findings = [finding.to_json() for finding in every_finding(package)]
    document = [{"path": str(package), "valid": False, "findings": findings}]
    jsonschema.Draft202012Validator(read_json("schema/findings.schema.json")).validate(document)
    assert len(findings) >= 6
    assert json.loads(json.dumps(document)) == document


def test_findings_carry_severity_and_remedy_of_the_registry(package: Path) -> None:
    for finding in every_finding(package):
        entry = registry()[finding.rule]
        assert (finding.severity, finding.remedy) == (entry.severity, entry.remedy)
        assert finding.found
        assert finding.expected
        assert finding.rule in str(finding)
        assert entry.remedy in str(finding)


def test_a_terminal_obeys_nothing_that_a_finding_shows(package: Path) -> None:
    assert all(str(finding).isprintable() for finding in every_finding(package))


def test_a_finding_in_bytes_names_the_byte(package: Path) -> None:
    tampering.overwrite(package, 1, 1024 + 2048 + 1, b"\x30")  # block 1 of b has six columns within
    finding = the_finding(package)
    assert finding.rule == "LLQ-PACK-1"
    assert (finding.where.file, finding.where.offset) == (SHARD.format(2), 1024 + 2048 + 1)
    assert finding.where.tensor == "b"


# ---- Progress ----


def test_progress_counts_every_byte_of_every_file_once(tmp_path: Path) -> None:
    metadata = sample_packages.write_model(tmp_path / "p", stem="m")
    steps: list[int] = []
    totals: list[tuple[int, str]] = []
    validate(tmp_path / "p", steps.append, lambda total, stem: totals.append((total, stem)))
    assert totals == [(sum(entry.byte_length for entry in metadata.files), "m")]
    assert sum(steps) == totals[0][0]
