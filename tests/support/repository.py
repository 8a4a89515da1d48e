"""Where the repository's folders are."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SPEC = ROOT / "spec"
VECTORS = ROOT / "vectors" / "data"
WEB = ROOT / "web"
