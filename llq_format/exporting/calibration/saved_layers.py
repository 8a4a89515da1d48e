"""Rounded layers in files next to the target, so that an interrupted export can resume.

Every file holds a digest of its arrays and of the export's key: source, calibration, options, and the
versions of the software and of its recipes. A file with another digest is not used.
"""

import hashlib
import json
import logging
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.calibration.rounded_layers import RoundedLayer
from llq_format.files.file_replacement import replace_file
from llq_format.format.quantize import PackedTensor
from llq_format.reference.batch import Floats

_KEY = "export.json"
_DIGEST = "sha256"
_Arrays = dict[str, NDArray[Any]]
_log = logging.getLogger("llq_format")


class DamagedError(ValueError):
    """A saved file that is not what this export would have saved."""


class SavedLayers:
    """A directory with one file per layer, and the activations after the last saved layer.

    Each file is complete or absent. Files of an export with another key are removed.
    """

    def __init__(self, directory: Path) -> None:
        """Read nothing yet."""
        self.directory = directory
        self._key_digest = b""

    @classmethod
    def at(cls, package: str | os.PathLike[str]) -> Self:
        """Return the saved layers of the package that is written to a path."""
        target = Path(os.path.abspath(package))  # noqa: PTH100  # as the writer does
        return cls(target.with_name(f".{target.name}.layers"))

    @contextmanager
    def in_use(self, key: Mapping[str, Any]) -> Iterator[None]:
        """Open, and remove all at the end: a failed export leaves nothing (LLQ-WRITE-7).

        An interrupted export leaves its finished layers.
        """
        try:
            self.open(key)
            yield
        except Exception:
            self.discard()
            raise
        except BaseException:
            self.remove_if_empty()
            raise
        self.discard()

    def open(self, key: Mapping[str, Any]) -> None:
        """Reuse the layers of an interrupted export with an equal key, or start with none."""
        text = json.dumps({**key, "software": software()}, sort_keys=True).encode()
        self._key_digest = hashlib.sha256(text).digest()
        key_file = self.directory / _KEY
        found = key_file.read_bytes() if key_file.is_file() else None
        if found == text:
            return
        if found is not None:
            self._note("belong to another export, or to another version of the software")
        self._restart(text)

    def streams(self) -> tuple[int, Floats] | None:
        """Return the number of finished layers, and the activations after them, or None.

        Every file of these layers is checked; if one is damaged, a note is logged, and no layer is used.
        """
        files = sorted(self.directory.glob("streams-*.npz"))
        if not files:
            return None
        try:
            count = _count(files[-1])
            for number in range(count):
                self.layer(number)
            return count, self._read(files[-1])["streams"]
        except DamagedError as error:
            self._note(f"are damaged or were changed ({error})")
            self._restart((self.directory / _KEY).read_bytes())
            return None

    def layer(self, number: int) -> RoundedLayer:
        """Return a finished layer. Raises DamagedError."""
        arrays = self._read(self._file(number))
        names = dict.fromkeys(key.rsplit("/", 1)[0] for key in arrays)
        return {name: _tensor(name, arrays) for name in names}

    def save(self, number: int, layer: RoundedLayer, streams: Floats) -> None:
        """Save a layer and the activations after it, which replace the earlier activations."""
        arrays: _Arrays = {}
        for name, tensor in layer.items():
            if isinstance(tensor, PackedTensor):
                arrays[f"{name}/shape"] = np.array(tensor.shape)
                arrays[f"{name}/scales"], arrays[f"{name}/packed"] = tensor.scales, tensor.packed
                if tensor.zero_points is not None:
                    arrays[f"{name}/zero_points"] = tensor.zero_points
            else:
                arrays[f"{name}/raw"] = tensor
        self._write(self._file(number), arrays)
        self._write(self._streams_file(number + 1), {"streams": streams})
        self._streams_file(number).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the directory and its files. Raises FileExistsError if it contains other files."""
        if not os.path.lexists(self.directory):
            return
        names = {path.name for path in self.directory.iterdir()} if self.directory.is_dir() else {""}
        prefixes = ("layer-", "streams-", _KEY, ".layer-", ".streams-", f".{_KEY}")
        if self.directory.is_symlink() or not all(name.startswith(prefixes) for name in names):
            raise FileExistsError(
                f"{self.directory} contains files that are not saved layers: remove it manually"
            )
        shutil.rmtree(self.directory)

    def discard(self) -> None:
        """Remove the directory if that is possible; otherwise the next export tries again."""
        with suppress(OSError):
            self.remove()

    def remove_if_empty(self) -> None:
        """Remove the directory if no layer is finished, as an interrupted export without layers does."""
        if not any(self.directory.glob("streams-*.npz")):
            self.remove()

    def _restart(self, key: bytes) -> None:
        self.remove()
        self.directory.mkdir(parents=True)
        with replace_file(self.directory / _KEY) as file:
            file.write(key)

    def _note(self, found: str) -> None:
        _log.warning(
            "llq: note: the saved layers in %s %s: all layers are rounded again", self.directory, found
        )

    def _write(self, path: Path, arrays: _Arrays) -> None:
        digest = np.frombuffer(self._digest(path, arrays), np.uint8)
        # numpy.savez hides errors of the system, and old versions leave the archive open after one
        with replace_file(path) as file, zipfile.ZipFile(file, "w") as archive:
            for name, array in {**arrays, _DIGEST: digest}.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)

    def _read(self, path: Path) -> _Arrays:
        """Return the arrays of a file whose digest is right. Raises DamagedError."""
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = dict(file)
            digest = arrays.pop(_DIGEST).tobytes()
        except Exception as error:  # a damaged archive raises errors of many classes
            raise DamagedError(f"{path.name} cannot be read") from error
        if digest != self._digest(path, arrays):
            raise DamagedError(f"{path.name} has another hash")
        return arrays

    def _digest(self, path: Path, arrays: _Arrays) -> bytes:
        """Return the SHA-256 of the key and of the names, types, shapes and bytes of a file's arrays."""
        digest = hashlib.sha256(self._key_digest)
        digest.update(path.name.encode())
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name])
            digest.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.reshape(-1).view(np.uint8).data)
        return digest.digest()

    def _file(self, number: int) -> Path:
        return self.directory / f"layer-{number:05}.npz"

    def _streams_file(self, number: int) -> Path:
        return self.directory / f"streams-{number:05}.npz"


@cache
def software() -> dict[str, str]:
    """Return the versions that the result depends on; `code` is a hash of the source files."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for room in ("exporting", "format", "reference"):
        for path in sorted((root / room).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    try:
        version = metadata.version("llq-format")
    except metadata.PackageNotFoundError:
        version = "unknown"
    return {"llq-format": version, "numpy": np.__version__, "code": digest.hexdigest()}


def _count(streams_file: Path) -> int:
    """Return the number of layers before saved activations. Raises DamagedError."""
    number = streams_file.stem.removeprefix("streams-")
    if not number.isdecimal():
        raise DamagedError(f"{streams_file.name} is not a name of saved activations")
    return int(number)


def _tensor(name: str, arrays: Mapping[str, NDArray[Any]]) -> PackedTensor | NDArray[np.float32]:
    if f"{name}/raw" in arrays:
        return np.asarray(arrays[f"{name}/raw"], np.float32)
    rows, cols = arrays[f"{name}/shape"].tolist()
    zeros = arrays.get(f"{name}/zero_points")
    return PackedTensor((rows, cols), arrays[f"{name}/scales"], zeros, arrays[f"{name}/packed"])
