"""Filters of warnings for versions of packages that no lock has tried."""

import os

UNLOCKED = bool(os.environ.get("LLQ_UNLOCKED"))
"""Whether the packages differ from the lock, as in `make test-newest` and `make test-lowest`."""

_OURS = "llq_format|llq_conformance|conformance|vectors|tests|examples|benchmarks|__main__"

DEPRECATIONS = (
    "default::DeprecationWarning",
    "default::PendingDeprecationWarning",
    "default::FutureWarning",
)
"""Only other packages raise these, and often in the name of the module that calls them."""

FILTERS = (
    rf"default:::(?!({_OURS})(\.|$))",
    *DEPRECATIONS,
    # Of numbers and of files and threads that stay open: these are ours, in any module that they name.
    "error::RuntimeWarning",
    "error::ResourceWarning",
    "error::pytest.PytestUnraisableExceptionWarning",
    "error::pytest.PytestUnhandledThreadExceptionWarning",
)
"""In pytest's syntax; the last that matches counts, and all come after pyproject.toml's `error`."""
