"""The example of section 5.3 of the founding article, run unchanged in Node."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from conformance.runtimes.javascript.node import DRIVERS, driver_variables
from tests.support.repository import ROOT, VECTORS
from tests.support.timeouts import seconds
from tests.support.web.scripted_package import scripted_package

pytestmark = pytest.mark.browser

WEB = ROOT / "web"


class Quiet(SimpleHTTPRequestHandler):
    """Python's own server, which the article names in section 6.6; it ignores ranges."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Provide the address of a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_the_example_of_section_5_3_runs_to_the_letter(tmp_path: Path) -> None:
    scripted_package(tmp_path).rename(tmp_path / "models")
    shutil.copytree(VECTORS / "api" / "vocabulary", tmp_path / "tokenizer")
    node = shutil.which("node")
    assert node is not None, "node is not on the path: install Node.js 20 or newer"
    with served(tmp_path) as page:
        process = subprocess.run(  # noqa: S603  # our own script
            [node, "--import", "./test/api/article_page.mjs", "test/api/article.mjs", page],
            cwd=WEB,
            capture_output=True,
            text=True,
            timeout=seconds(600),
            check=False,
            env={**os.environ, **driver_variables(None, DRIVERS)},
        )
    assert process.returncode == 0, process.stderr
    assert isinstance(json.loads(process.stdout), str)  # drawn at random: any text, if only one
