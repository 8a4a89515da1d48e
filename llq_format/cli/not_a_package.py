"""Recognition of checkpoints where a command expects a package."""

from contextlib import suppress
from pathlib import Path

_GGUF = b"GGUF"
_SUFFIXES = {
    ".safetensors": "a safetensors file",
    ".bin": "a file of PyTorch weights",
    ".pt": "a file of PyTorch weights",
    ".pth": "a file of PyTorch weights",
}


def checkpoint_at(path: str) -> str | None:
    """Return in words what is at a path that may be a checkpoint: a file, or a directory with config.json."""
    place = Path(path)
    with suppress(OSError):
        if place.is_dir():
            return "a directory of a Hugging Face checkpoint" if (place / "config.json").is_file() else None
        if not place.is_file():
            return None
        with place.open("rb") as file:
            if file.read(len(_GGUF)) == _GGUF:
                return "a GGUF file"
        return _SUFFIXES.get(place.suffix.lower(), "a file")
    return None
