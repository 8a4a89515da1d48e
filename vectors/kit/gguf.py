"""Files of the GGUF format, version 3: magic, counts, metadata, tensor infos, data aligned to 32."""

from __future__ import annotations

import struct

MAGIC, VERSION, ALIGNMENT = b"GGUF", 3, 32
TYPES = {"F32": 0, "F16": 1, "Q4_1": 3, "Q8_0": 8, "BF16": 30}
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9

Value = int | float | str | list[int] | list[str]
Tensor = tuple[str, tuple[int, ...], bytes]


def text(value: str) -> bytes:
    """Return a string: its length, then UTF-8."""
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def field(key: str, value: Value) -> bytes:
    """Return a key with its value, which is a u32, a binary32, a string, or a list of i32 or strings."""
    if isinstance(value, list):
        kind = STRING if all(isinstance(item, str) for item in value) else INT32
        items = [text(item) if isinstance(item, str) else struct.pack("<i", item) for item in value]
        return text(key) + struct.pack("<IIQ", ARRAY, kind, len(items)) + b"".join(items)
    if isinstance(value, str):
        return text(key) + struct.pack("<I", STRING) + text(value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", FLOAT32, value)
    return text(key) + struct.pack("<II", UINT32, value)


def gguf(metadata: dict[str, Value], tensors: dict[str, Tensor]) -> bytes:
    """Return the file of some tensors; it stores their dimensions in reverse order."""
    head = MAGIC + struct.pack("<IQQ", VERSION, len(tensors), len(metadata))
    head += b"".join(field(key, value) for key, value in metadata.items())
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        dims = struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += text(name) + struct.pack("<I", len(shape)) + dims
        head += struct.pack("<IQ", TYPES[dtype], len(data))
        data += content.ljust(-(-len(content) // ALIGNMENT) * ALIGNMENT, b"\0")
    return head.ljust(-(-len(head) // ALIGNMENT) * ALIGNMENT, b"\0") + data
