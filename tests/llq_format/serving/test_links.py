"""`llq serve --follow-links`: packages in caches of the Hugging Face hub, and links that lead elsewhere."""

import hashlib
import shutil
from pathlib import Path
from urllib.request import urlopen

import pytest
from starlette.testclient import TestClient

from llq_format.metadata.findings import LLQError
from llq_format.serving.application import application
from llq_format.serving.links import Links
from tests.support.command_line import llq, tiny
from tests.support.web.serving import served

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny(tmp_path_factory.mktemp("package"))


@pytest.fixture
def snapshot(package: Path, tmp_path: Path) -> Path:
    """Return a package as the hub's cache keeps it: relative links from snapshots/ to blobs/."""
    cache = tmp_path / "models--me--tiny"
    snapshot = cache / "snapshots" / REVISION
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for file in package.iterdir():
        blob = cache / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        shutil.copy(file, blob)
        (snapshot / file.name).symlink_to(Path("..", "..", "blobs", blob.name))
    return snapshot


def cache_of(snapshot: Path) -> Path:
    return snapshot.parents[1]


def shard(directory: Path) -> Path:
    return next(directory.glob("*.llq"))


def client(snapshot: Path) -> TestClient:
    links = Links(cache_of(snapshot))
    return TestClient(application(snapshot, links.metadata(snapshot), snapshot, links=links))


@pytest.fixture(autouse=True)
def web_folders(snapshot: Path) -> None:
    """Make the folders of web files, which no test here requests."""
    for name in ("demo", "dist"):
        (snapshot / name).mkdir()


def test_a_snapshot_is_served_with_the_types_of_its_names(snapshot: Path, package: Path) -> None:
    with served(snapshot, "--follow-links", str(cache_of(snapshot))) as url:
        for file in package.iterdir():
            with urlopen(f"{url}model/{file.name}") as response:  # noqa: S310  # our own server
                assert response.read() == file.read_bytes()
                kind = response.headers["content-type"].partition(";")[0]
            expected = {".json": "application/json", ".wgsl": "text/wgsl", ".llq": "application/octet-stream"}
            assert kind == expected[file.suffix]


def test_without_the_option_links_are_refused(snapshot: Path) -> None:
    result = llq("serve", snapshot, "--no-open")
    assert (result.exit_code, "LLQ-PKG-1" in result.stderr) == (1, True)
    assert "symbolic link" in result.stderr


def test_a_root_without_the_blobs_is_refused(snapshot: Path) -> None:
    result = llq("serve", snapshot, "--no-open", "--follow-links", snapshot.parent)
    assert result.exit_code == 1
    assert "metadata.json leads out of" in result.stderr
    assert "--follow-links" in result.stderr


def test_a_root_that_is_missing_is_refused(snapshot: Path) -> None:
    result = llq("serve", snapshot, "--no-open", "--follow-links", snapshot / "none")
    assert (result.exit_code, "is not a directory" in result.stderr) == (1, True)


@pytest.mark.parametrize("chain", [False, True], ids=["directly", "over a link within the root"])
def test_a_link_that_leaves_the_root_is_refused(snapshot: Path, tmp_path: Path, *, chain: bool) -> None:
    outside = tmp_path / "outside"
    shutil.copy(shard(snapshot), outside)
    link = shard(snapshot)
    link.unlink()
    target = outside
    if chain:
        target = cache_of(snapshot) / "blobs" / "hop"
        target.symlink_to(outside)
    link.symlink_to(target)
    with pytest.raises(ValueError, match=f"{link.name} leads out of "):
        Links(cache_of(snapshot)).metadata(snapshot)


def test_a_folder_that_is_a_link_out_of_the_root_is_refused(snapshot: Path, tmp_path: Path) -> None:
    blobs = cache_of(snapshot) / "blobs"
    blobs.rename(tmp_path / "blobs")
    blobs.symlink_to(tmp_path / "blobs")
    with pytest.raises(ValueError, match=r"metadata.json leads out of "):
        Links(cache_of(snapshot)).metadata(snapshot)


def test_a_neighbour_whose_name_begins_like_the_root_is_outside(snapshot: Path) -> None:
    neighbour = cache_of(snapshot).with_name("models--me--tiny-2")
    neighbour.mkdir()
    link = shard(snapshot)
    shutil.copy(link, neighbour / "blob")
    link.unlink()
    link.symlink_to(neighbour / "blob")
    with pytest.raises(ValueError, match="leads out of"):
        Links(cache_of(snapshot)).metadata(snapshot)


@pytest.mark.parametrize("kind", ["missing", "circle", "directory"])
def test_a_link_to_nothing_is_refused(snapshot: Path, kind: str) -> None:
    link = shard(snapshot)
    link.unlink()
    link.symlink_to({"missing": "none", "circle": link.name, "directory": "."}[kind])
    with pytest.raises((LLQError, ValueError, OSError)) as caught:
        Links(cache_of(snapshot)).metadata(snapshot)
    assert link.name in str(caught.value)


def test_a_blob_of_another_length_violates_pkg_8(snapshot: Path) -> None:
    blob = shard(snapshot).resolve()
    blob.write_bytes(blob.read_bytes()[:-256])
    with pytest.raises(LLQError) as caught:
        Links(cache_of(snapshot)).metadata(snapshot)
    assert caught.value.finding.rule == "LLQ-PKG-8"


def test_a_link_that_leaves_the_root_later_is_not_followed(snapshot: Path, tmp_path: Path) -> None:
    server = client(snapshot)
    link = shard(snapshot)
    assert server.get(f"/model/{link.name}").status_code == 200
    (tmp_path / "secret").write_text("not of the package")
    link.unlink()
    link.symlink_to(tmp_path / "secret")
    assert server.get(f"/model/{link.name}").status_code == 404


def test_other_files_of_the_root_are_not_there(snapshot: Path) -> None:
    server = client(snapshot)
    blob = shard(snapshot).resolve().name
    for path in (f"../../blobs/{blob}", f"%2e%2e/%2e%2e/blobs/{blob}", "snapshots", blob):
        assert server.get(f"/model/{path}").status_code == 404, path
