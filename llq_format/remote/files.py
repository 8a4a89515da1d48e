"""Files by address, through fsspec: lengths, pieces, and downloads that continue where they stopped."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from llq_format.remote.addresses import RemoteError

CHUNK_BYTES = 2**24
"""Bytes to request at a time; a dropped connection loses at most this much."""

ATTEMPTS = 5
"""Number of times that a request is sent before a download fails."""

_HTTP_CAUSES = {
    401: "access requires a login or a token",
    403: "access is restricted: ask the owner, or accept the terms of use",
    404: "not found",
    429: "too many requests: try again later",
}


def cache_directory() -> Path:
    """Return the directory of downloads: `llq` in XDG_CACHE_HOME, by default in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "llq" / "downloads"


def byte_length(address: str) -> int | None:
    """Return the length of a file in bytes, or None for a missing file.

    Raises RemoteError if the file cannot be read, or its length is not stated.
    """
    info = _info(address)
    return None if info is None else int(info["size"])


def _info(address: str) -> dict[str, Any] | None:
    """Return what the server states about a file, with its length as `size`; None for a missing file."""
    with _reported(address):
        system, path = _system(address)
        try:
            info: dict[str, Any] = system.info(path)
        except FileNotFoundError as error:
            if _is_absence(error.__cause__):
                return None
            raise error.__cause__ or error from None
    if not isinstance(info.get("size"), int):
        raise RemoteError(f"{address}: the server does not state the length of this file")
    return info


def read(address: str, start: int, stop: int) -> bytes:
    """Return the bytes from `start` to `stop` of a file; raises RemoteError."""
    with _reported(address):
        system, path = _system(address)
        data = _attempted(lambda: system.cat_file(path, start=start, end=stop))
    if len(data) != stop - start:
        raise RemoteError(
            f"{address}: {len(data)} bytes instead of {stop - start}: the server must support range requests"
        )
    return bytes(data)


def download(
    addresses: Sequence[str],
    on_total: Callable[[int, str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Path]:
    """Return the paths of copies of files, in one directory of the cache.

    A copy of the same file is used again. A download that was interrupted continues where it stopped.
    on_total: called with the number of bytes of all files and the word `download`.
    progress: called with numbers of bytes, at first those of an earlier download. Raises RemoteError.
    """
    lengths = []
    identity = hashlib.sha256()
    for address in addresses:
        info = _info(address)
        if info is None:
            raise RemoteError(f"{address}: not found")
        lengths.append(int(info["size"]))
        version = info.get("ETag") or info.get("Last-Modified")
        identity.update(f"{address}\n{info['size']}\n{version}\n".encode())
    if on_total is not None:
        on_total(sum(lengths), "download")
    place = cache_directory() / identity.hexdigest()[:16]
    return [_copy(*file, place, progress) for file in zip(addresses, lengths, strict=True)]


def _copy(address: str, length: int, place: Path, progress: Callable[[int], None] | None) -> Path:
    """Return the path of a copy of a file of that length in the directory `place`."""
    name = Path(urlsplit(address).path).name
    target = place / name
    if target.is_file() and target.stat().st_size == length:
        if progress is not None:
            progress(length)
        return target
    place.mkdir(parents=True, exist_ok=True)
    partial = place / f".{name}.partial"
    with partial.open("ab") as file:
        done = file.tell()
        if done > length:
            file.truncate(0)
            done = 0
        if progress is not None:
            progress(done)
        for start in range(done, length, CHUNK_BYTES):
            data = read(address, start, min(start + CHUNK_BYTES, length))
            file.write(data)
            file.flush()
            if progress is not None:
                progress(len(data))
    partial.replace(target)
    return target


def _system(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    try:
        fsspec: Any = import_module("fsspec")
        system, path = fsspec.url_to_fs(address)
    except ImportError as error:
        raise RemoteError(
            f"{address}: reading it requires more packages ({error}): pip install 'llq-format[remote]'"
        ) from None
    return system, path


def _is_absence(cause: BaseException | None) -> bool:
    """Return whether a file is missing; fsspec raises FileNotFoundError for every failure of a request."""
    status = getattr(cause, "status", None)
    return cause is None or status in (404, 410)


def _attempted(request: Callable[[], bytes]) -> bytes:
    """Return the answer to a request, which is repeated if the connection breaks."""
    for _ in range(ATTEMPTS - 1):
        try:
            return request()
        except FileNotFoundError:
            raise
        except OSError as error:
            if getattr(error, "status", None) is not None:
                raise
        except Exception as error:
            if not _is_broken_connection(error):
                raise
    return request()


def _is_broken_connection(error: Exception) -> bool:
    """Return whether the client library reports a broken connection by an error of its own."""
    return getattr(error, "status", None) is None and type(error).__module__.startswith("aiohttp")


@contextmanager
def _reported(address: str) -> Iterator[None]:
    """Turn failures of the client library into RemoteError."""
    try:
        yield
    except (RemoteError, FileNotFoundError):
        raise
    except Exception as error:
        status = getattr(error, "status", None)
        if not isinstance(error, OSError | ValueError) and not type(error).__module__.startswith("aiohttp"):
            raise
        cause = f"HTTP {status}: {_HTTP_CAUSES.get(status, 'the server refuses')}" if status else str(error)
        raise RemoteError(f"{address}: {cause}") from error
