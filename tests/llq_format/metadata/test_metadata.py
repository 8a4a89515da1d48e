"""The index as typed values: nothing is lost on the way in and out, and the digest names it."""

import hashlib
import json
from pathlib import Path

from llq_format import Metadata
from llq_format.metadata.metadata import FileEntry, Part, TensorEntry, digest
from tests.support import sample_packages, tampering
from tests.support.sample_packages import MODEL

SHA = "0" * 64
PART = Part(0, 256, 256, 0, 3, SHA)
SMALL = Metadata(
    "m",
    512,
    (FileEntry("m-00001-of-00001.llq", 512, SHA),),
    (TensorEntry("t", "f32", (3,), (PART,)),),
    extras={"none": None, "digest": SHA},
)
SMALL_TEXT = (
    '{"digest":"DIGEST","extras":{"digest":"ZEROS","none":null},"shard_limit":512,'
    '"shards":[{"byte_length":512,"file":"m-00001-of-00001.llq","sha256":"ZEROS"}],"stem":"m",'
    '"tensors":[{"dtype":"f32","name":"t","parts":[{"byte_length":256,"first_row":0,"num_rows":3,'
    '"offset":256,"sha256":"ZEROS","shard":0}],"shape":[3]}],"version":"1.0"}'
).replace("ZEROS", SHA)


def test_the_bytes_of_a_small_index_are_these() -> None:
    blank = SMALL_TEXT.replace("DIGEST", SHA)
    sha256 = hashlib.sha256(blank.encode()).hexdigest()
    assert SMALL.to_bytes().decode() == SMALL_TEXT.replace("DIGEST", sha256)


def test_the_digest_does_not_depend_on_the_digest_that_is_there() -> None:
    value = json.loads(SMALL.to_bytes())
    assert digest(value) == digest({**value, "digest": "f" * 64}) == value["digest"]


def test_the_digest_depends_on_everything_else() -> None:
    value = json.loads(SMALL.to_bytes())
    changed = [{**value, "extras": {}}, {**value, "stem": "n"}, {**value, "shard_limit": 768}]
    assert len({digest(variant) for variant in [value, *changed]}) == 4


def test_absent_members_stay_absent_and_nulls_in_extras_stay() -> None:
    value = SMALL.to_json()
    assert value["extras"]["none"] is None
    assert not {"model", "tokenizer", "module", "program", "extensions"} & set(value)
    assert not {"extensions", "extras"} & set(value["tensors"][0])


def test_every_member_survives_the_way_in_and_out(tmp_path: Path) -> None:
    sample_packages.write_model(tmp_path / "package", extras={"x": [1, {"y": None}]})
    value = tampering.read(tmp_path / "package")
    value["extensions_used"] = ["ACME_x"]
    value["extensions"] = {"ACME_x": {"data": [None]}}
    value["tensors"][0]["extensions"] = {"ACME_x": {}}
    value["tensors"][1]["extras"] = {"note": None}
    metadata = Metadata.from_json(value)
    assert metadata.to_json() == value
    assert Metadata.from_json(metadata.to_json()) == metadata
    assert metadata.to_bytes() == tampering.seal(value)


def test_the_model_survives_the_way_in_and_out() -> None:
    assert type(MODEL).from_json(json.loads(json.dumps(MODEL.to_json()))) == MODEL
    assert MODEL.to_json()["activations"] == {"fp16_layers": 1}


def test_files_are_the_shards_and_what_else_is_named(tmp_path: Path) -> None:
    metadata = sample_packages.write_model(tmp_path / "package", stem="m")
    names = ["m-00001-of-00001.llq", "tokenizer.json", "m.wgsl", "program.json"]
    assert [entry.file for entry in metadata.files] == names


def test_a_tensor_of_one_dimension_has_one_column() -> None:
    (entry,) = SMALL.tensors
    assert (entry.rows, entry.cols) == (3, 1)
