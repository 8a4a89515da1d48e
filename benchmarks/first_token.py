"""Time to the first token over the time of the download, through a slow server, while kernels compile.

`python -m benchmarks.first_token PACKAGE [--megabytes-per-second R]` starts a server on this machine that
sends a limited number of bytes per second, loads the package in Node, and asks for one token after five.
To reach: 1.1. On a software adapter the prefill itself takes seconds, which the figure includes.
"""

import argparse
import json
import re
import shutil
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SCRIPT = Path(__file__).parent / "first_token.mjs"
PIECE = 1 << 16
TO_REACH = 1.1


class Throttle:
    """Limits the bytes per second of all connections together."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free = 0.0
        self.first = 0.0
        self.last = 0.0

    def wait(self, count: int) -> None:
        """Wait until the next `count` bytes may go."""
        with self._lock:
            now = time.perf_counter()
            self.first = self.first or now
            self._free = max(self._free, now) + count / self._rate
            free = self._free
        time.sleep(max(0.0, free - time.perf_counter()))
        with self._lock:
            self.last = max(self.last, time.perf_counter())


def server(package: Path, throttle: Throttle) -> ThreadingHTTPServer:
    """Return a server of a package's files with byte ranges, at a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            file = package / Path(self.path).name
            if not file.is_file():
                self.send_error(404)
                return
            size = file.stat().st_size
            byte_range = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
            begin, end = (int(byte_range[1]), min(size, int(byte_range[2]) + 1)) if byte_range else (0, size)
            self.send_response(206 if byte_range else 200)
            self.send_header("Content-Length", str(end - begin))
            self.send_header("Content-Type", "application/octet-stream")
            if byte_range:
                self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{size}")
            self.end_headers()
            with file.open("rb") as data:
                data.seek(begin)
                while begin < end:
                    piece = data.read(min(PIECE, end - begin))
                    throttle.wait(len(piece))
                    self.wfile.write(piece)
                    begin += len(piece)

        def log_message(self, *_: Any) -> None:
            pass

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


def measure(package: Path, rate: float) -> dict[str, Any]:
    """Return Node's report with the seconds of the download and the ratio."""
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("this needs Node.js 20 or newer, and npm ci in web/")
    throttle = Throttle(rate)
    with server(package, throttle) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{serving.server_address[1]}/"
        process = subprocess.run([node, SCRIPT, url], check=True, capture_output=True, text=True)
        serving.shutdown()
    report = json.loads(process.stdout.splitlines()[-1])
    download = throttle.last - throttle.first
    return {**report, "download": download, "ratio": report["times"]["first_token"] / download}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("package", type=Path)
    parser.add_argument("--megabytes-per-second", type=float, default=2.0, metavar="R")
    options = parser.parse_args()
    result = measure(options.package, 1e6 * options.megabytes_per_second)
    print(f"{result['adapter']}, variant {result['variant']}")
    for name, seconds in result["times"].items():
        print(f"{name:18} {seconds:8.2f} s")
    print(f"{'download':18} {result['download']:8.2f} s")
    print(f"ready / download: {result['times']['ready'] / result['download']:.2f}")
    print(f"first token / download: {result['ratio']:.2f} (to reach: {TO_REACH})")


if __name__ == "__main__":
    main()
