"""List the conforming variants: `python -m conformance.mutation.conforming`."""

import sys

from . import CONFORMING, runtime

for name in CONFORMING:
    sys.stdout.write(f"{name:36} {', '.join(sorted(runtime(name).capabilities))}\n")
