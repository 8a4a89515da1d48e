"""`llq serve` as tests run it: a process of its own, at a free port."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.command_line import start
from tests.support.timeouts import seconds


@contextmanager
def served(package: Path, *options: str) -> Iterator[str]:
    """Provide the address at which a package is served, with / at its end."""
    with start("serve", package, "--port", "0", "--json", *options) as process:
        try:
            text = ""
            assert process.stdout  # noqa: S101  # it is piped
            while not text.endswith("}\n"):
                line = process.stdout.readline().decode()
                if not line:
                    assert process.stderr  # noqa: S101  # it is piped
                    raise RuntimeError(process.stderr.read().decode())
                text += line
            yield str(json.loads(text)["url"])
        finally:
            process.terminate()
            process.communicate(timeout=seconds(30))
