"""The systems on which packages can be written."""

import os

SYSTEM = os.name
"""Name of the family of this system: `posix`, or `nt` for Windows."""


def require_posix() -> None:
    """Raise ValueError on Windows, which cannot replace a directory atomically (LLQ-WRITE-2)."""
    if SYSTEM == "nt":
        raise ValueError(
            "Windows cannot write packages: use Linux, macOS or the Windows Subsystem for Linux; "
            "reading packages works"
        )
