"""`llq serve`: ranges, types, validators, headers and refusals."""

import http.client
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPResponse
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.command_line import llq, start, tiny
from tests.support.timeouts import seconds
from tests.support.web.serving import served

LARGE = 1 << 26
"""Bytes of a file that the buffers of a connection do not hold."""


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


@contextmanager
def connected(url: str, path: str) -> Iterator[HTTPResponse]:
    """Provide the response to a request, of which only the headers were read, with a small buffer."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc)
    with closing(connection), socket.socket() as small:
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        small.settimeout(seconds(30))
        small.connect((address.hostname, address.port))
        connection.sock = small
        connection.request("GET", path)
        with connection.getresponse() as response:
            yield response


@contextmanager
def serving_large(package: Path) -> Iterator[tuple["subprocess.Popen[bytes]", str]]:
    """Provide a server, and the address of its page; then make a shard larger than buffers."""
    with start("serve", package, "--port", "0", "--no-open") as process:
        assert process.stdout
        page = re.fullmatch(r"page +(\S+)\n", process.stdout.readline().decode())
        assert page
        with shard(package).open("r+b") as file:
            file.truncate(LARGE)
        yield process, page[1]
        process.kill()


def stopped(process: "subprocess.Popen[bytes]") -> list[str]:
    """Press Ctrl-C, which ends the server as usual, and return its messages since it has started."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=seconds(30))
    assert process.returncode == 0
    return err.decode().partition("press Ctrl-C to stop\n")[2].splitlines()


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_it_serves_at_the_loopback_address_of_ipv6(package: Path, host: str) -> None:
    if not has_ipv6():
        pytest.skip("this machine has no ::1")
    with served(package, "--host", host) as url:
        assert url.startswith("http://[::1]:")
        assert ask(url, "/model/metadata.json")[0].status == 200
        assert ask(url, "/model/metadata.json", Host="rebound.example")[0].status == 400


def has_ipv6() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


def test_other_machines_are_warned_of_and_may_use_addresses_and_allowed_names(package: Path) -> None:
    arguments = ("--host", "0.0.0.0", "--allow-host", "llm.example.org")  # noqa: S104  # what is tested
    with start("serve", package, "--port", "0", "--no-open", *arguments) as process:
        assert process.stdout
        assert process.stderr
        page = re.fullmatch(r"page +(\S+)\n", process.stdout.readline().decode())
        assert page
        statuses = {
            host: ask(page[1], "/model/metadata.json", Host=host)[0].status
            for host in (
                "192.0.2.7:8000",
                "[2001:db8::1]",
                "localhost",
                socket.gethostname(),
                "LLM.example.org",
            )
        }
        assert set(statuses.values()) == {200}, statuses
        for host in ("rebound.example", "192.0.2.7.example", "example.org", "a.llm.example.org"):
            assert ask(page[1], "/model/metadata.json", Host=host)[0].status == 400, host
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=seconds(30))
    assert b"warning: --host 0.0.0.0 lets other machines of the network read this package" in err


def test_a_loopback_address_is_not_warned_of(package: Path) -> None:
    with start("serve", package, "--port", "0", "--no-open", "--host", "localhost") as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=seconds(30))
    assert b"warning: --host" not in err


@pytest.mark.parametrize("field", ["items=0-5", "items=x", "0-5"])
def test_a_range_in_another_unit_is_ignored(url: str, package: Path, field: str) -> None:
    response, body = ask(url, f"/model/{shard(package).name}", Range=field)
    assert (response.status, body) == (200, shard(package).read_bytes())


def test_a_range_of_head_is_ignored(url: str, package: Path) -> None:
    response, _ = ask(url, f"/model/{shard(package).name}", "HEAD", Range="bytes=0-5")
    assert response.status == 200
    assert response.headers["content-length"] == str(shard(package).stat().st_size)


@pytest.mark.slow
def test_ctrl_c_during_a_download_is_quiet(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    with (
        serving_large(package) as (process, url),
        connected(url, f"/model/{shard(package).name}") as response,
    ):
        response.read(1)
        assert stopped(process) == []


@pytest.mark.slow
@pytest.mark.parametrize("size", [0, LARGE // 2])
def test_a_file_that_shrinks_while_it_is_sent_closes_the_connection(tmp_path: Path, size: int) -> None:
    package = tiny(tmp_path)
    with serving_large(package) as (process, url):
        with connected(url, f"/model/{shard(package).name}") as response:
            response.read(1)
            with shard(package).open("r+b") as file:
                file.truncate(size)
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                response.read()
        assert ask(url, "/model/metadata.json")[0].status == 200
        [message] = stopped(process)
    assert f"{shard(package).name} became shorter while it was sent" in message


@pytest.mark.slow
def test_a_file_that_grows_while_it_is_sent_comes_as_long_as_it_was(tmp_path: Path) -> None:
    package = tiny(tmp_path)
    with serving_large(package) as (process, url):
        with connected(url, f"/model/{shard(package).name}") as response:
            with shard(package).open("r+b") as file:
                file.truncate(LARGE + 5)
            assert len(response.read()) == LARGE
        assert stopped(process) == []


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
