"""`llq serve`: ranges, types, validators, headers and refusals."""

import http.client
import re
import signal
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command_line import llq, start, tiny
from tests.support.timeouts import seconds
from tests.support.web.serving import served


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("served")
    package = tiny(directory)
    (package / "secret.txt").write_text("not of the package")
    return package


@pytest.fixture(scope="module")
def url(package: Path) -> Iterator[str]:
    with served(package, "--allow-origin", "https://example.org") as url:
        yield url


def ask(url: str, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=seconds(30))
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=fields)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def shard(package: Path) -> Path:
    return next(package.glob("*.llq"))


def test_a_file_comes_whole_with_its_type_and_length(url: str, package: Path) -> None:
    for file, kind in (
        (shard(package), "application/octet-stream"),
        (next(package.glob("*.wgsl")), "text/wgsl; charset=utf-8"),
        (package / "metadata.json", "application/json"),
    ):
        response, body = ask(url, f"/model/{file.name}", Accept_Encoding="gzip, br")
        assert (response.status, body) == (200, file.read_bytes())
        assert response.headers["content-type"] == kind
        assert response.headers["content-length"] == str(file.stat().st_size)
        assert response.headers["accept-ranges"] == "bytes"
        assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("requested", "begin", "end"),
    [("0-0", 0, 1), ("256-511", 256, 512), ("1000-", 1000, None), ("-300", -300, None)],
)
def test_a_range_comes_alone(url: str, package: Path, requested: str, begin: int, end: int | None) -> None:
    data = shard(package).read_bytes()
    response, body = ask(url, f"/model/{shard(package).name}", Range=f"bytes={requested}")
    assert (response.status, body) == (206, data[begin:end])
    first = begin if begin >= 0 else len(data) + begin
    expected = f"bytes {first}-{first + len(body) - 1}/{len(data)}"
    assert response.headers["content-range"] == expected
    assert response.headers["content-length"] == str(len(body))


def test_several_ranges_come_as_parts(url: str, package: Path) -> None:
    data = shard(package).read_bytes()
    response, body = ask(url, f"/model/{shard(package).name}", Range="bytes=0-7,256-271")
    assert response.status == 206
    kind = re.fullmatch(r"multipart/byteranges; boundary=(\w+)", response.headers["content-type"])
    assert kind
    parts = body.split(b"--" + kind[1].encode())[1:-1]
    assert [part.split(b"\r\n\r\n", 1)[1][:-2] for part in parts] == [data[:8], data[256:272]]


def test_a_range_after_the_end_is_refused(url: str, package: Path) -> None:
    size = shard(package).stat().st_size
    response, _ = ask(url, f"/model/{shard(package).name}", Range=f"bytes={size}-")
    assert response.status == 416
    assert response.headers["content-range"] == f"bytes */{size}"


def test_validators_show_what_has_changed(url: str, package: Path) -> None:
    path = f"/model/{shard(package).name}"
    response, _ = ask(url, path, "HEAD")
    etag, modified = response.headers["etag"], response.headers["last-modified"]
    assert ask(url, path, If_None_Match=etag)[0].status == 304
    assert ask(url, path, If_Modified_Since=modified)[0].status == 304
    assert ask(url, path, If_None_Match='"other"')[0].status == 200
    assert ask(url, path, Range="bytes=0-9", If_Range=etag)[0].status == 206
    assert ask(url, path, Range="bytes=0-9", If_Range='"other"')[0].status == 200


def test_head_gives_the_length_and_sends_no_body(url: str, package: Path) -> None:
    response, body = ask(url, f"/model/{shard(package).name}", "HEAD")
    assert (response.status, body) == (200, b"")
    assert response.headers["content-length"] == str(shard(package).stat().st_size)


@pytest.mark.parametrize(
    "path",
    [
        "/model/secret.txt",
        "/model/../secret.txt",
        "/model/%2e%2e/secret.txt",
        "/model/none.llq",
        "/package.json",
        "/node_modules/esbuild/package.json",
        "/demo/../package.json",
        "/demo/%2e%2e/package.json",
    ],
)
def test_other_files_are_not_there(url: str, path: str) -> None:
    assert ask(url, path)[0].status == 404


def test_nothing_can_be_written(url: str) -> None:
    for method in ("PUT", "POST", "DELETE"):
        assert ask(url, "/model/metadata.json", method)[0].status == 405


def test_the_page_is_isolated_and_only_the_origin_that_was_named_may_read_from_elsewhere(url: str) -> None:
    response, _ = ask(url, "/model/metadata.json", Origin="https://example.org")
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert response.headers["cross-origin-embedder-policy"] == "require-corp"
    assert response.headers["access-control-allow-origin"] == "https://example.org"
    assert "Content-Range" in response.headers["access-control-expose-headers"]
    refused, _ = ask(url, "/model/metadata.json", Origin="https://example.com")
    assert "access-control-allow-origin" not in refused.headers
    headers = {"Access_Control_Request_Method": "GET", "Access_Control_Request_Headers": "range,if-range"}
    preflight, _ = ask(url, "/model/metadata.json", "OPTIONS", Origin="https://example.org", **headers)
    assert preflight.status == 200


def test_a_page_that_calls_this_machine_by_a_name_of_its_own_reads_nothing(url: str) -> None:
    assert ask(url, "/model/metadata.json", Host="rebound.example:80")[0].status == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:80", "[::1]:8000", "[::1]"])
def test_a_request_to_a_name_of_this_machine_is_answered(url: str, host: str) -> None:
    assert ask(url, "/model/metadata.json", Host=host)[0].status == 200


@pytest.mark.parametrize(
    "host", ["", "[::2]:80", "[::1", "[::1].example", "localhost.example", "a@localhost"]
)
def test_a_request_to_another_name_is_refused(url: str, host: str) -> None:
    assert ask(url, "/model/metadata.json", Host=host)[0].status == 400


def test_the_root_leads_to_the_demo(url: str) -> None:
    response, _ = ask(url, "/")
    assert (response.status, response.headers["location"]) == (307, "/demo/")
    page, body = ask(url, "/demo/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert b"<!doctype html>" in body.lower()


def test_what_is_not_a_package_or_has_no_program_is_refused(tmp_path: Path) -> None:
    result = llq("serve", tmp_path, "--no-open")
    assert (result.exit_code, "LLQ-PKG-1" in result.stderr) == (1, True)
    result = llq("serve", tiny(tmp_path, "--no-program"), "--no-open")
    assert (result.exit_code, "no execution program" in result.stderr) == (1, True)
    assert "llq program" in result.stderr


def test_a_port_in_use_is_reported_with_the_remedy(package: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = llq("serve", package, "--no-open", "--port", str(port))
    assert result.exit_code == 1
    assert f"port {port} of 127.0.0.1 is used by another program" in result.stderr
    assert "--port 0" in result.stderr


def test_a_host_that_is_not_this_machine_is_reported(package: Path) -> None:
    result = llq("serve", package, "--no-open", "--host", "192.0.2.1")
    assert result.exit_code == 1
    assert "cannot serve at 192.0.2.1" in result.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)])
def test_it_ends_cleanly_on_request(package: Path, number: signal.Signals, status: int) -> None:
    with start("serve", package, "--port", "0", "--no-open") as process:
        assert process.stdout
        page = re.fullmatch(r"page +(\S+)\n", process.stdout.readline().decode())
        assert page
        assert ask(page[1], "/demo/")[0].status == 200  # it serves now
        process.send_signal(number)
        _, err = process.communicate(timeout=seconds(30))
    assert process.returncode == status
    assert b"Traceback" not in err
