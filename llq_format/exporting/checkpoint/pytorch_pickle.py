"""The tensors in a pytorch_model.bin: names, types, shapes, and the places of their bytes.

torch.save writes a zip archive with a pickle, and an entry for each storage, which is not compressed. Before
torch 1.6 it wrote several pickles, and the storages after them. The pickle says how tensors are made. This
module follows it without torch, and executes none of its calls.
"""

import io
import math
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_ITEM_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
"""Types by the names of the classes of torch that a pickle mentions."""

_DIRECTORY_BYTES = 16 * 2**20
"""Maximum length of the archive's directory, in bytes."""

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
"""The first two values of a file of torch before 1.6."""

_OLD_PICKLE_BYTES = 2**20
"""Maximum length of the pickles of a file of torch before 1.6, in bytes."""


class PickleError(ValueError):
    """A file that is not a plain dictionary of tensors."""


@dataclass(frozen=True)
class _Storage:
    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class PickledTensor:
    """A tensor: type, shape, strides in elements, and the first byte of its first element in the file."""

    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    @property
    def is_contiguous(self) -> bool:
        """Whether its elements follow each other in C order."""
        expected = 1
        for size, stride in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if size != 1 and stride != expected:
                return False
            expected *= size
        return True


@dataclass(frozen=True)
class _View:
    """What a pickle says of a tensor."""

    storage: _Storage
    first: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _State(dict[Any, Any]):
    """A dictionary that a pickle may give members, as that of a module is given `_metadata`."""


def read(path: Path) -> dict[str, PickledTensor]:
    """Return the tensors of a file. Raises PickleError, OSError."""
    try:
        with path.open("rb") as file:
            views, places = _zip(file) if zipfile.is_zipfile(file) else _old(file)
        return {name: _placed(name, view, places) for name, view in views.items()}
    except (PickleError, OSError):
        raise
    except Exception as error:  # damaged pickles and archives raise many classes
        words = str(error).partition("\n")[0] or type(error).__name__
        raise PickleError(f"not a file of torch.save: {words}") from error


Places = dict[str, tuple[int, int]]
"""First byte and length of storages in the file, by their keys."""


def _zip(file: BinaryIO) -> tuple[dict[str, _View], Places]:
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # noqa: SLF001  # before the directory is read
    if end is None or end[zipfile._ECD_SIZE] > _DIRECTORY_BYTES:  # type: ignore[attr-defined]  # noqa: SLF001
        raise PickleError(f"the archive's directory is longer than {_DIRECTORY_BYTES} bytes")
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        pickles = [entry for entry in entries if entry.filename.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise PickleError(f"the archive has {len(pickles)} files data.pkl, expected 1")
        limit = 2**16 + 2**10 * len(entries)
        if pickles[0].file_size > limit:
            raise PickleError(f"data.pkl has {pickles[0].file_size} bytes, expected at most {limit}")
        with archive.open(pickles[0]) as stream:
            data = stream.read(limit)
        root = pickles[0].filename.rpartition("/")[0]
        prefix = f"{root}/data/" if root else "data/"
        places = {
            entry.filename.removeprefix(prefix): (_start(file, entry), entry.file_size)
            for entry in entries
            if entry.filename.startswith(prefix) and entry.compress_type == zipfile.ZIP_STORED
        }
    return _views(_Unpickler(io.BytesIO(data)).load()), places


def _start(file: BinaryIO, entry: zipfile.ZipInfo) -> int:
    """Return the place of an entry's first byte, after its local header."""
    file.seek(entry.header_offset + 26)
    lengths = file.read(4)
    return (
        entry.header_offset
        + 30
        + int.from_bytes(lengths[:2], "little")
        + int.from_bytes(lengths[2:], "little")
    )


def _old(file: BinaryIO) -> tuple[dict[str, _View], Places]:
    file.seek(0)
    data = io.BytesIO(file.read(_OLD_PICKLE_BYTES))
    if _Unpickler(data).load() != _MAGIC or _Unpickler(data).load() != _PROTOCOL:
        raise PickleError("not a file of torch.save")
    _Unpickler(data).load()  # sizes of the writer's machine
    unpickler = _Unpickler(data)
    views, keys = _views(unpickler.load()), _Unpickler(data).load()
    places, at = {}, data.tell()
    for key in keys:
        file.seek(at)
        length = int.from_bytes(file.read(8), "little") * _ITEM_BYTES[unpickler.storages[key].dtype]
        places[key] = (at + 8, length)
        at += 8 + length
    return views, places


def _views(state: Any) -> dict[str, _View]:
    """Return the tensors of the value of a pickle."""
    if not isinstance(state, dict):
        raise PickleError("not a dictionary of tensors")
    for name, view in state.items():
        if not isinstance(name, str) or not isinstance(view, _View):
            raise PickleError(f"{str(name)[:80]} is not a plain tensor")
    return dict(state)


def _placed(name: str, view: _View, places: Places) -> PickledTensor:
    """Return a tensor whose elements are all in its storage. Raises PickleError."""
    size = _ITEM_BYTES[view.storage.dtype]
    start, length = places.get(view.storage.key, (0, 0))
    elements = math.prod(view.shape)
    last = view.first + sum((count - 1) * step for count, step in zip(view.shape, view.strides, strict=True))
    if elements and (last + 1) * size > length:
        raise PickleError(f"tensor {name} ends outside its storage of {length} bytes")
    if elements * size > length:
        raise PickleError(f"tensor {name} of shape {list(view.shape)} repeats its elements")
    return PickledTensor(view.storage.dtype, view.shape, view.strides, start + view.first * size)


class _Unpickler(pickle._Unpickler):  # noqa: SLF001  # the one in C cannot be bounded
    """Follows a pickle; whatever it names is one of the functions below, or an error."""

    def __init__(self, data: io.BytesIO) -> None:
        super().__init__(data, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Return the type or the function that denotes a class or a function of torch."""
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if (module, name) in _FUNCTIONS:
            return _FUNCTIONS[module, name]
        raise PickleError(f"it names {module}.{name}, which weights do not need"[:200])

    def persistent_load(self, pid: Any) -> _Storage:
        """Return a storage."""
        kind, dtype, key, _place, count, *_view = pid
        if kind != "storage" or dtype not in _ITEM_BYTES or not isinstance(key, str) or not _is_size(count):
            raise PickleError("it has a storage of an unknown kind")
        return self.storages.setdefault(key, _Storage(dtype, key, count))


def _rebuilt(storage: Any, first: Any, shape: Any, strides: Any, *_rest: Any) -> _View:
    """Return the tensor that `_rebuild_tensor_v2` would make."""
    sizes, steps = tuple(shape), tuple(strides)
    numbers = (first, *sizes, *steps)
    if not isinstance(storage, _Storage) or len(sizes) != len(steps) or not all(map(_is_size, numbers)):
        raise PickleError("it has a tensor without a storage, or of a wrong shape")
    return _View(storage, first, sizes, steps)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53


_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _State,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}
