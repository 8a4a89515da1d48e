"""Text files that appear whole or not at all: written next to their place, flushed, renamed."""

import os
from pathlib import Path
from secrets import token_hex


def replace_file(path: Path, text: str) -> None:
    """Write a file, or replace an older one at once; if that fails, the older file stays as it was.

    The mode is that of any new file, by the umask.
    """
    partial = path.with_name(f".{path.name}.partial-{token_hex(4)}")
    file = partial.open("x", encoding="utf-8")
    try:
        with file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
