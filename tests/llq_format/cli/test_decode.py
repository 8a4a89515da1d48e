"""`llq decode`: the file, whole or not at all, and standard output."""

import io
from pathlib import Path

import numpy as np
import pytest

from tests.support import tampering
from tests.support.command_line import WORKED_EXAMPLE, llq, on_terminal, run, tiny

EXPECTED = np.load(WORKED_EXAMPLE / "expected" / "weight.npy")
PACKAGE = WORKED_EXAMPLE / "package"


def test_decodes_the_worked_example_bit_for_bit(tmp_path: Path) -> None:
    result = llq("decode", PACKAGE, "weight", "-o", tmp_path / "w.npy")
    assert result.exit_code == 0
    assert result.stdout == ""
    actual = np.load(tmp_path / "w.npy")
    assert actual.dtype == np.float32
    assert actual.tobytes() == EXPECTED.tobytes()
    assert actual.shape == EXPECTED.shape
    assert [path.name for path in tmp_path.iterdir()] == ["w.npy"]


def test_dash_writes_the_file_to_a_pipe() -> None:
    result = llq("decode", PACKAGE, "weight", "-o", "-")
    assert result.exit_code == 0
    np.testing.assert_array_equal(np.load(io.BytesIO(result.stdout_bytes)), EXPECTED)


def test_dash_is_refused_on_a_terminal() -> None:
    status, _, plain = on_terminal("decode", PACKAGE, "weight", "-o", "-")
    assert status == 2
    assert "terminal" in plain


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    target = tmp_path / "w.npy"
    target.write_text("precious")
    result = llq("decode", PACKAGE, "weight", "-o", target)
    assert result.exit_code == 1
    assert result.stderr == f"llq: {target} already exists: use --force to replace it\n"
    assert target.read_text() == "precious"
    assert llq("decode", PACKAGE, "weight", "-o", target, "--force").exit_code == 0
    np.testing.assert_array_equal(np.load(target), EXPECTED)


def test_what_is_not_a_file_is_never_replaced(tmp_path: Path) -> None:
    for target in (tmp_path, Path("/dev/null")):
        result = llq("decode", PACKAGE, "weight", "-o", target, "--force")
        assert result.exit_code == 1
        assert "will not be replaced" in result.stderr
    assert Path("/dev/null").is_char_device()


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    result = llq("decode", PACKAGE, "weight", "-o", tmp_path / "none" / "w.npy")
    assert result.exit_code == 1
    assert result.stderr == f"llq: directory {tmp_path / 'none'} not found\n"


@pytest.mark.parametrize(
    ("name", "near"),
    [("layers.0.attention.qvk", "layers.0.attention.qkv"), ("nrom", "norm")],
)
def test_an_unknown_tensor_gets_the_nearest_names(tmp_path: Path, name: str, near: str) -> None:
    result = llq("decode", tiny(tmp_path), name, "-o", tmp_path / "w.npy")
    assert result.exit_code == 1
    assert f"tensor {name} not found: did you mean" in result.stderr
    assert near in result.stderr


def test_an_unknown_tensor_like_no_other_points_to_the_list(tmp_path: Path) -> None:
    result = llq("decode", tiny(tmp_path), "\x1bzzzzzzzz", "-o", tmp_path / "w.npy")
    assert result.stderr.endswith("`llq inspect --all` lists all 16 names\n")
    assert "\x1b" not in result.stderr


def test_a_damaged_tensor_leaves_no_file(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    tampering.overwrite(package, 0, 300, b"\xff", rehash=False)
    result = llq("decode", package, "embedding", "-o", tmp_path / "w.npy")
    assert result.exit_code == 1
    assert "error LLQ-HASH-1" in result.stderr
    assert not (tmp_path / "w.npy").exists()


def test_a_full_disk_is_a_message() -> None:
    with Path("/dev/full").open("wb") as full:
        status, _, err = run("decode", PACKAGE, "weight", "-o", "-", stdout=full)
    assert status == 1
    assert err == "llq: No space left on device\n"
