"""Times of the stages of loading a package: in Chromium, first fresh and then from its cache, or natively.

`python -m benchmarks.loading browser PACKAGE` serves the package on this machine and drives the Chromium on
the path. It needs Python, Chromium and `web/dist/webgpu-llama4.js` only, and runs as a script of its own too:
`python loading.py browser PACKAGE --bundle webgpu-llama4.js --page loading_page.html`.
`python -m benchmarks.loading native PACKAGE` measures the executor of `llq_format` on wgpu-py.

Stages that overlap have busy seconds, the sum over all that ran at the same time, and the time between the
first start and the last end. Memory is the proportional set size of all processes of the browser, above the
start.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUNDLE = HERE.parent / "web" / "dist" / "webgpu-llama4.js"
PAGE = HERE / "loading_page.html"
ISOLATION = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
SOFTWARE = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
"""Flags of Chromium for a machine without a GPU."""

SAMPLE_SECONDS = 0.1
STAGES = ("fetch", "cache read", "check", "hash", "upload", "cache write", "storing")
"""Stages that overlap, as the runtime measures them. `check` contains `hash`."""


class Site:
    """A server of a package, the bundle and the page, and what the page reports."""

    def __init__(self, package: Path, bundle: Path, page: Path, plan: Mapping[str, Any]) -> None:
        self._files = {"/": page, "/bundle.js": bundle}
        self._package = package
        self.plan = json.dumps(plan).encode()
        self.events: list[dict[str, Any]] = []
        self.ended = threading.Event()
        self.memory: Memory | None = None

    def file(self, path: str) -> Path | None:
        """Return the file of an address."""
        name = path.removeprefix("/model/")
        file = self._package / Path(name).name if name != path else self._files.get(path)
        return file if file is not None and file.is_file() else None

    def take(self, event: dict[str, Any]) -> None:
        """Take a report of the page, with the memory in use."""
        if self.memory is not None:
            if event["event"] == "start":
                self.memory.restart()
            event["memory"] = self.memory.peak
        self.events.append(event)
        if event["event"] == "end":
            self.ended.set()

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve within the block, at the address that is provided."""
        handler = type("Handler", (_Handler,), {"site": self})
        with _Server(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_address[1]}/"
            server.shutdown()


class _Server(ThreadingHTTPServer):
    """Says nothing where the browser closes a connection."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers for a site, which a subclass names."""

    site: Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/plan.json":
            self._head(200, len(self.site.plan), "application/json")
            self.wfile.write(self.site.plan)
            return
        file = self.site.file(path)
        if file is None:
            self._head(404, 0, "text/plain")
            return
        self._send(file)

    def do_POST(self) -> None:
        self.site.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._head(204, 0, "text/plain")

    def _head(self, status: int, length: int, media: str, span: str | None = None) -> None:
        self.send_response(status)
        headers = {"Content-Length": str(length), "Content-Type": media, **ISOLATION}
        if span is not None:
            headers["Content-Range"] = span
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()

    def _send(self, file: Path) -> None:
        size = file.stat().st_size
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        begin, end = (int(span[1]), min(size, int(span[2]) + 1)) if span else (0, size)
        text = f"bytes {begin}-{end - 1}/{size}" if span else None
        self._head(206 if span else 200, end - begin, _media(file), text)
        with file.open("rb") as data, suppress(ConnectionError):
            while begin < end:
                sent = os.sendfile(self.connection.fileno(), data.fileno(), begin, end - begin)
                if sent == 0:
                    break
                begin += sent

    def log_message(self, *_: Any) -> None:
        pass


def _media(file: Path) -> str:
    return {".html": "text/html", ".js": "text/javascript", ".json": "application/json"}.get(
        file.suffix, "application/octet-stream"
    )


Sizes = Mapping[str, int]
"""Bytes by the kind of process, as `renderer` or `gpu-process`."""


class Memory:
    """The memory of a process and its descendants, sampled until `stop`; None without /proc."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._base: Sizes = {}
        self._peak: Sizes = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def restart(self) -> None:
        """Count from what is in use now."""
        self._base = self._peak = _set_sizes(self._process)

    @property
    def peak(self) -> Sizes | None:
        """The maximum of all processes since the last restart, above what was in use then."""
        if not self._base:
            return None
        return {kind: size - self._base.get(kind, 0) for kind, size in self._peak.items()}

    def stop(self) -> None:
        """End the sampling."""
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(SAMPLE_SECONDS):
            self._peak = max(self._peak, _set_sizes(self._process), key=lambda sizes: sum(sizes.values()))


def _set_sizes(process: int) -> Sizes:
    """Return the proportional set sizes of a process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    sizes: dict[str, int] = {}
    queue = [process]
    while queue:
        member = queue.pop()
        queue += children.get(member, [])
        with suppress(OSError):
            command = Path(f"/proc/{member}/cmdline").read_text().replace("\0", " ")
            kind = re.search(r"--type=([\w-]+)(?:.*--utility-sub-type=([\w.]+))?", command)
            name = (kind[2] or kind[1]) if kind else "browser"
            rollup = Path(f"/proc/{member}/smaps_rollup").read_text()
            size = re.search(r"^Pss: +(\d+) kB", rollup, re.MULTILINE)
            sizes[name] = sizes.get(name, 0) + (1024 * int(size[1]) if size else 0)
    return sizes


def browser(options: argparse.Namespace) -> int:
    """Measure in Chromium and print."""
    plan = {
        "cache": options.cache,
        "tokens": 0 if options.weights_only else options.tokens,
        "workers": options.workers,
        "weightsOnly": options.weights_only,
    }
    site = Site(options.package, options.bundle, options.page, plan)
    finished = visit(site, options)
    if options.json is not None:
        options.json.write_text(json.dumps(site.events, indent=1))
    _print_rounds(site.events, _weight_bytes(options.package))
    error = site.events[-1].get("error") if site.events else None
    if error:
        print(error)
    return 0 if finished and not error else 1


def visit(site: Site, options: argparse.Namespace) -> bool:
    """Open the page of a site in Chromium; return whether it reported its end in time."""
    executable = shutil.which(options.chromium)
    if executable is None:
        raise SystemExit(f"{options.chromium} not found: install Chromium, or pass --chromium")
    with site.serving() as url, tempfile.TemporaryDirectory(dir=options.profile) as profile:
        flags = ["--headless=new", "--no-sandbox", "--no-first-run", "--disable-dev-shm-usage"]
        flags += [*(SOFTWARE if options.software else ()), *options.flag]
        command = [executable, *flags, f"--user-data-dir={profile}", url]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        site.memory = Memory(process.pid)
        try:
            finished = site.ended.wait(options.timeout)
        finally:
            site.memory.stop()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            time.sleep(0.5)  # helpers of the browser still write into its profile
    if not finished:
        print(f"the page did not end within {options.timeout} s")
    return finished


def add_browser_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `visit`."""
    parser.add_argument("--chromium", default="chromium", help="Name or path of the browser.")
    parser.add_argument(
        "--flag", action="append", default=[], help="Further flag of the browser; repeatable."
    )
    parser.add_argument("--software", action="store_true", help="Compute on the CPU, with SwiftShader.")
    parser.add_argument("--bundle", type=Path, default=BUNDLE)
    parser.add_argument("--profile", type=Path, help="Directory for the browser's profile and its cache.")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="SECONDS")


def _weight_bytes(package: Path) -> int:
    return sum(file.stat().st_size for file in package.glob("*.llq"))


def _print_rounds(events: Sequence[Mapping[str, Any]], size: int) -> None:
    for event in events:
        if event["event"] == "loaded":
            _print_round(event, size)


def _print_round(event: Mapping[str, Any], size: int) -> None:
    device = event["device"]
    print(f"\n{event['round']}: {size / 1e9:.3f} GB, {device['name']}, variant {device['variant']}")
    phases = event["phases"]
    for phase, after in zip(phases, [*phases[1:], None], strict=True):
        end = event["ready"] if after is None else after["at"]
        if phase["phase"] != "ready":
            print(f"  {phase['phase']:12} {end - phase['at']:8.3f} s")
    for label, key in (("ready", "ready"), ("first token", "firstToken"), ("stored", "stored")):
        if event[key] is not None:
            print(f"  {label:12} {event[key]:8.3f} s after the start")
    print(f"  {'answers':12} {'  '.join(f'{seconds:.3f}' for seconds in event['answers'])} s")
    print(f"  {'weights':12} {size / 1e6 / _weights_seconds(event):8.0f} MB/s")
    print(f"  {'stage':12} {'busy':>8}   {'from':>7}   {'to':>7}   {'times':>6}")
    for name in STAGES:
        stage = event["stages"].get(name)
        if stage is not None:
            span = f"{stage['from']:7.3f}   {stage['to']:7.3f}"
            print(f"  {name:12} {stage['busy']:8.3f}   {span}   {stage['count']:6}")
    if event.get("memory") is not None:
        sizes = event["memory"]
        parts = ", ".join(f"{name} {size / 1e6:.0f}" for name, size in sizes.items() if abs(size) >= 1e6)
        print(f"  {'memory':12} {sum(sizes.values()) / 1e6:8.0f} MB at most in all processes: {parts}")


def _weights_seconds(event: Mapping[str, Any]) -> float:
    begin = next(phase["at"] for phase in event["phases"] if phase["phase"] == "weights")
    end = next((phase["at"] for phase in event["phases"] if phase["phase"] == "pipelines"), event["ready"])
    return max(1e-9, float(end) - float(begin))


class Clock:
    """Prints the seconds of each stage."""

    def __init__(self) -> None:
        self.start = self._last = time.perf_counter()

    def stage(self, name: str) -> None:
        """End a stage."""
        now = time.perf_counter()
        print(f"  {name:22} {now - self._last:8.3f} s")
        self._last = now


def native(options: argparse.Namespace) -> int:
    """Measure the start of the native executor and print."""
    import llq_format  # noqa: PLC0415  # the browser is measured without it
    from llq_format.webgpu.execution import opening  # noqa: PLC0415
    from llq_format.webgpu.execution.adapters import find_adapter  # noqa: PLC0415
    from llq_format.webgpu.execution.generation import generate  # noqa: PLC0415
    from llq_format.webgpu.execution.weights import Weights  # noqa: PLC0415

    size = _weight_bytes(options.package)
    print(f"native: {size / 1e9:.3f} GB")
    reading = Clock()
    buffer = bytearray(16 << 20)
    for file in sorted(options.package.glob("*.llq")):
        with file.open("rb", buffering=0) as data:
            while data.readinto(buffer):
                pass
    reading.stage("reading the files")
    self_test = opening.computes_rightly  # type: ignore[attr-defined]  # measured within the opening
    seconds = {"self-test": 0.0}

    def timed_self_test(device: Any) -> bool:
        begin = time.perf_counter()
        right = self_test(device)
        seconds["self-test"] = time.perf_counter() - begin
        return right

    opening.computes_rightly = timed_self_test  # type: ignore[attr-defined]
    clock = Clock()
    with llq_format.open(options.package) as package:
        files = opening.executable(package)
        clock.stage("metadata and program")
        find_adapter(options.adapter)  # the first search loads the drivers; the next one is quick
        clock.stage("adapters")
        with Weights(package, files.program) as weights:  # parts are checked from here on
            device = opening.open_device(files, adapter=options.adapter, weights=weights)
            clock.stage("device and self-test")
            print(f"    {'of it, the self-test':20} {seconds['self-test']:8.3f} s")
            executor = opening.executor_on(package, files, device, None, weights)
            clock.stage("rest of upload, checks")
        print(f"  {'ready':22} {time.perf_counter() - clock.start:8.3f} s after the start")
        next(iter(generate(executor, [1, 2, 3, 4, 5], 1)))
        clock.stage("first token")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the command line states."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    page = commands.add_parser("browser", help="Measure in Chromium.")
    page.add_argument("package", type=Path)
    add_browser_options(page)
    page.add_argument(
        "--cache", choices=("true", "false", "cache-storage"), default="true", help="Cache to use."
    )
    page.add_argument("--weights-only", action="store_true", help="Compile no pipelines, ask for no tokens.")
    page.add_argument("--workers", type=int, help="Number of workers, instead of what the processors allow.")
    page.add_argument("--tokens", type=int, default=4, help="Answers of one token after each load.")
    page.add_argument("--page", type=Path, default=PAGE)
    page.add_argument("--json", type=Path, metavar="FILE", help="Write all reports of the page to FILE.")
    page.set_defaults(measure=browser)
    executor = commands.add_parser("native", help="Measure llq_format on wgpu-py.")
    executor.add_argument("package", type=Path)
    executor.add_argument("--adapter", help="Part of the adapter's name.")
    executor.set_defaults(measure=native)
    options = parser.parse_args(arguments)
    result: int = options.measure(options)
    return result


if __name__ == "__main__":
    sys.exit(main())
