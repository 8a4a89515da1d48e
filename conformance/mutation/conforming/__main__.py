"""List the equivalents: `python -m conformance.mutation.conforming`."""

import sys

from . import EQUIVALENTS, runtime

for name in EQUIVALENTS:
    sys.stdout.write(f"{name:36} {', '.join(sorted(runtime(name).capabilities))}\n")
