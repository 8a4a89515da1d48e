"""Text files that are replaced atomically: written to a temporary file, flushed, renamed."""

import os
from pathlib import Path
from secrets import token_hex


def replace_file(path: Path, text: str) -> None:
    """Write a file, or replace an existing file atomically; if that fails, the existing file is unchanged.

    The umask determines the mode, as for any new file.
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
