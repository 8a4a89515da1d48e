"""Files of weights, for tests of reading them."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pytest

Arrays = dict[str, npt.NDArray[Any]]


def write_safetensors(path: Path, arrays: Arrays, dtype: str = "F32") -> None:
    """Write the format by hand: length of the header, header, data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in arrays.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_bin(path: Path, arrays: Arrays) -> None:
    """Write a pickle of torch tensors."""
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(array.copy()) for name, array in arrays.items()}, path)
