"""Time to the first token of five turns of a conversation, without and with what earlier turns computed.

`python -m benchmarks.turns [PACKAGE]` asks a package in Deno, on whatever adapter there is. Without PACKAGE
it writes one of random weights, of two layers of SmolLM2. Texts are token ids, so no tokenizer is needed.

*without*: nothing is kept. *automatic*: `model.stream` keeps whole chunks of the previous prompt, and its
answers are the same bit for bit. *session*: `session.stream` keeps all tokens that it has computed.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from llq_format.synth import synth

SCRIPT = Path(__file__).parent / "turns.mjs"
WAYS = ("without", "automatic", "session")
FLAGS = (
    "--quiet",
    "--no-prompt",
    "--no-lock",
    "--node-modules-dir=manual",
    "-A",
    "--unstable-webgpu",
)


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def measure(package: Path, question: int, answer: int) -> dict[str, Any]:
    """Return adapter, variant, bytes of the session, and the times in ms of each way and turn."""
    deno = shutil.which("deno")
    if deno is None:
        raise FileNotFoundError("deno is not on the path: pip install deno")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(package)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    command = [deno, "run", *FLAGS, str(SCRIPT), url, str(question), str(answer)]
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        server.shutdown()
    if process.returncode != 0:
        raise RuntimeError(process.stderr)
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def table(result: dict[str, Any]) -> str:
    """Return the times as a table in Markdown."""
    turns = range(1, 1 + len(result["times"][WAYS[0]]))
    lines = [f"| turn | {' | '.join(WAYS)} |", f"|---|{'---|' * len(WAYS)}"]
    for turn in turns:
        times = (f"{result['times'][way][turn - 1]:.0f} ms" for way in WAYS)
        lines.append(f"| {turn} | {' | '.join(times)} |")
    megabytes = result["bytes"] / 1e6
    heading = f"{result['adapter']}, {result['variant']}; the session has {megabytes:.1f} MB"
    return "\n".join([heading, "", *lines])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__)
    parser.add_argument("package", type=Path, nargs="?", help="Directory of a package (default: a new one).")
    parser.add_argument("--question", type=int, default=60, help="Tokens that each turn adds.")
    parser.add_argument("--answer", type=int, default=60, help="Tokens of each answer.")
    parser.add_argument("--json", action="store_true", help="Print JSON instead of a table.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        package = options.package
        if package is None:
            package = Path(directory) / "package"
            synth("smollm2-135m", package, layers=2, shard_limit=1 << 26)
        result = measure(package, options.question, options.answer)
    sys.stdout.write(f"{json.dumps(result) if options.json else table(result)}\n")


if __name__ == "__main__":
    main()
