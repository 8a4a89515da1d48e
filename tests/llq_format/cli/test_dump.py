"""`llq dump`: every byte named, on sound and on damaged packages."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from llq_format import save
from tests.support import tampering
from tests.support.command_line import WORKED_EXAMPLE, llq, on_terminal, run, tiny

PACKAGE = WORKED_EXAMPLE / "package"
SHARD = (PACKAGE / "worked-example-00001-of-00001.llq").read_bytes()


def dumped(*arguments: str | Path) -> Any:
    result = llq("dump", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_the_map_of_the_worked_example_is_the_table_of_the_specification() -> None:
    (shard,) = dumped(PACKAGE)
    ranges = [(r["offset"], r["size"], r["name"]) for piece in shard["pieces"] for r in piece["ranges"]]
    assert ranges == [
        (0, 8, "magic"),
        (8, 2, "version_major"),
        (10, 2, "version_minor"),
        (12, 4, "shard_index"),
        (16, 4, "shard_count"),
        (20, 4, "reserved"),
        (24, 8, "byte_length"),
        (32, 224, "reserved"),
        (256, 4, "block_rows"),
        (260, 4, "block_cols"),
        (264, 4, "num_blocks"),
        (268, 4, "offset"),
        (272, 240, "reserved"),
        (512, 2, "scale"),
        (514, 254, "padding"),
        (768, 1, "zero_point"),
        (769, 255, "padding"),
        (1024, 2048, "packed"),
    ]


def test_ranges_tile_every_shard_and_show_its_bytes(tmp_path: Path) -> None:
    package = tmp_path / "cut"
    assert llq("synth", "tiny", package, "--shard-limit", "20480").exit_code == 0
    shards = dumped(package)
    assert len(shards) > 5
    for shard in shards:
        data = (package / shard["file"]).read_bytes()
        end = 0
        for piece in shard["pieces"]:
            for item in piece["ranges"]:
                assert item["offset"] == end
                assert bytes.fromhex(item["bytes"]) == data[end : end + min(8, item["size"])]
                end += item["size"]
        assert end == len(data)


def test_text_shows_offset_size_name_bytes_and_value() -> None:
    lines = llq("dump", PACKAGE).stdout.splitlines()
    assert lines[0] == "worked-example-00001-of-00001.llq"
    assert "         0          8  magic          89 4C 4C 51 0D 0A 1A 0A    LLQ's magic" in lines
    assert "       264          4  num_blocks     01 00 00 00                1" in lines
    assert "       272        240  reserved       00 00 00 00 00 00 00 00 …  zeros" in lines
    assert max(map(len, lines)) <= 80


def test_a_block_shows_scale_zero_point_planes_and_codes() -> None:
    value = dumped(PACKAGE, "--tensor", "weight", "--block", "0")
    assert (value["scale_offset"], value["scale_bits"], value["scale"]) == (512, "3800", 0.5)
    assert (value["zero_point_offset"], value["zero_point"]) == (768, -3)
    for number, row in enumerate(value["rows"]):
        low, high = 1024 + 16 * number, 2048 + 16 * number
        assert (row["low"]["offset"], row["high"]["offset"]) == (low, high)
        assert bytes.fromhex(row["low"]["bytes"]) == SHARD[low : low + 16]
        assert bytes.fromhex(row["high"]["bytes"]) == SHARD[high : high + 16]
    expected = np.load(WORKED_EXAMPLE / "expected" / "weight.npy") / 0.5 - 3
    np.testing.assert_array_equal([row["codes"] for row in value["rows"]], expected)


def test_a_block_as_text_fits_80_columns() -> None:
    text = llq("dump", PACKAGE, "-t", "weight", "-b", "0").stdout
    assert "scale      at        512  3800 = 0.5" in text
    assert "zero_point at        768  -3" in text
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    planes = [line for line in lines if re.match(r" +(low|high) ", line)]
    assert len(planes) == 128


def test_blocks_are_counted_through_the_parts(tmp_path: Path) -> None:
    package = tmp_path / "cut"
    assert llq("synth", "tiny", package, "--shard-limit", "10240").exit_code == 0
    value = dumped(package, "--tensor", "layers.0.attention.qkv")
    assert len(value["parts"]) == 2
    assert [(b["block"], b["part"], b["block_row"], b["block_col"]) for b in value["blocks"]] == [
        (0, 0, 0, 0),
        (1, 0, 0, 1),
        (2, 0, 1, 0),
        (3, 0, 1, 1),
        (4, 1, 0, 0),
        (5, 1, 0, 1),
        (6, 1, 1, 0),
        (7, 1, 1, 1),
    ]
    block = dumped(package, "-t", "layers.0.attention.qkv", "-b", "6")
    assert block["file"] == value["parts"][1]["file"]
    assert block["packed_offset"] == value["blocks"][6]["packed_offset"]
    assert (
        "rows 192 to 255, columns 0 to 63"
        in llq("dump", package, "-t", "layers.0.attention.qkv", "-b", "6").stdout
    )


def test_a_symmetric_tensor_has_no_zero_point_section(tmp_path: Path) -> None:
    package = tiny(tmp_path, "--scheme", "symmetric")
    value = dumped(package, "-t", "lm_head", "-b", "0")
    assert (value["zero_point_offset"], value["zero_point"]) == (None, 8)
    assert "zero_point none: symmetric  8" in llq("dump", package, "-t", "lm_head", "-b", "0").stdout


def test_raw_values_are_next_to_their_bytes(tmp_path: Path) -> None:
    save(
        tmp_path / "raw",
        {"h": np.array([[0.5, -2.0, 6.0]], np.float16), "s": np.array([1.5, 0, -1], np.float32)},
    )
    text = llq("dump", tmp_path / "raw", "-t", "h").stdout
    assert "       256  00 38 00 C0              0, 0            0.5  -2.0" in text
    assert "       260  00 46                    0, 2            6.0" in text
    assert (
        "00 00 C0 3F 00 00 00 00  0, 0            1.5  0.0" in llq("dump", tmp_path / "raw", "-t", "s").stdout
    )


def test_misuse_exits_2(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    for arguments, message in (
        (("-b", "0"), "add --tensor NAME"),
        (("-t", "norm", "-b", "0"), "has no blocks"),
        (("-t", "lm_head", "-b", "8"), "has blocks 0 to 7"),
        (("-t", "lm_head", "-b", "-1"), "--block"),
    ):
        result = llq("dump", package, *arguments)
        assert result.exit_code == 2, arguments
        assert message in result.stderr
        assert result.stdout == ""


def test_a_cut_shard_is_shown_as_far_as_it_goes(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    shard = package / "tiny-00001-of-00001.llq"
    shard.write_bytes(shard.read_bytes()[:70000])  # ends in the second block of layers.0.attention.qkv
    text = llq("dump", package).stdout
    assert text.startswith("tiny-00001-of-00001.llq: is 70,000 bytes long; expected 214,784\n")
    assert "after the end of the file" in text
    rows = dumped(package, "-t", "layers.0.attention.qkv", "-b", "1")["rows"]
    assert rows[0]["low"]["bytes"] != ""
    assert rows[0]["codes"] is None
    assert llq("dump", package, "-t", "lm_head").exit_code == 0
    assert llq("dump", package, "-t", "norm").exit_code == 0


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    (package / "tiny-00001-of-00001.llq").unlink()
    (shard,) = dumped(package)
    assert shard["problem"] == "cannot be read: No such file or directory"


def test_bytes_that_are_wrong_are_pointed_out(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    tampering.overwrite(package, 0, 0, b"\x00", rehash=False)
    tampering.overwrite(package, 0, 40, b"\x01", rehash=False)
    text = llq("dump", package).stdout
    assert "not LLQ's magic" in text
    assert "not zero at byte 40" in text


def test_parts_that_leave_holes_overlap_or_have_another_length_are_pointed_out(tmp_path: Path) -> None:
    package = tiny(tmp_path)

    def move(value: dict[str, Any]) -> None:
        value["tensors"][1]["parts"][0]["offset"] += (
            256  # attention_norm: a hole before it, an overlap after it
        )
        value["tensors"][13]["parts"][0]["byte_length"] += 256

    tampering.edit(package, move)
    text = llq("dump", package).stdout
    assert "in no part\n     65792        256  unused" in text
    assert re.search(r"layers\.0\.attention\.qkv: .*\(overlaps the range that ends at byte 66560\)", text)
    assert "LLQ-PART-5" in llq("dump", package, "-t", "norm").stdout


def test_a_part_in_no_shard_is_a_message(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    tampering.edit(package, lambda value: value["tensors"][13]["parts"][0].update(shard=3))
    assert llq("dump", package).exit_code == 0
    result = llq("dump", package, "-t", "norm")
    assert result.exit_code == 1
    assert "LLQ-PART-3" in result.stderr


def test_metadata_that_is_not_canonical_does_not_stop_it_but_metadata_without_meaning_does(
    tmp_path: Path,
) -> None:
    package = tiny(tmp_path)
    file = package / "metadata.json"
    file.write_bytes(json.dumps(json.loads(file.read_bytes()), indent=1).encode())
    assert llq("dump", package).exit_code == 0
    file.write_bytes(b"{ ")
    result = llq("dump", package)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"llq: {package}: error LLQ-JSON-2 (invalid-json) at metadata.json")


def test_a_closed_pipe_ends_it_quietly(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    status, _, err = run("dump", tiny(tmp_path), "-t", "embedding", stdout=writer)
    os.close(writer)
    assert status == 141
    assert err == ""


def test_on_a_terminal_lines_fit(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    for arguments in (
        (),
        ("-t", "norm"),
        ("-t", "embedding"),
        ("-t", "lm_head"),
        ("-t", "lm_head", "-b", "3"),
    ):
        status, text, plain = on_terminal("dump", package, *arguments)
        assert status == 0
        assert "\x1b" not in text
        assert max(map(len, plain.splitlines())) <= 80
