"""Build the site: `python -m website FOLDER`."""

import sys
from pathlib import Path

from website.build import build

if __name__ == "__main__":
    build(Path(sys.argv[1]))
