"""Files of the safetensors format: length of the header, header, data."""

from __future__ import annotations

import json
import struct

Tensor = tuple[str, tuple[int, ...], bytes]
"""The dtype, the shape and the bytes of a tensor."""


def safetensors(tensors: dict[str, Tensor]) -> bytes:
    """Return the file of some tensors, in their order."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header, separators=(",", ":")).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    return struct.pack("<Q", len(text)) + text + data
