"""GGUF files of a tiny Llama, for tests of reading them."""

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType as GgmlType

Arrays = dict[str, npt.NDArray[np.float32]]

V, H, HEADS, KV_HEADS, D, INTERMEDIATE, LAYERS = 40, 64, 4, 2, 16, 96, 2
METADATA: dict[str, Any] = {
    "general.name": "a tiny model",
    "llama.context_length": 2048,
    "llama.embedding_length": H,
    "llama.block_count": LAYERS,
    "llama.feed_forward_length": INTERMEDIATE,
    "llama.attention.head_count": HEADS,
    "llama.attention.head_count_kv": KV_HEADS,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.freq_base": 100000.0,
    "llama.rope.dimension_count": D,
    "llama.vocab_size": V,
}


def weights() -> Arrays:
    """Return the matrices and norms of a model by their GGUF names, rows in the order of Hugging Face."""
    layer = {
        "attn_norm": (H,),
        "attn_q": (HEADS * D, H),
        "attn_k": (KV_HEADS * D, H),
        "attn_v": (KV_HEADS * D, H),
        "attn_output": (H, HEADS * D),
        "ffn_norm": (H,),
        "ffn_gate": (INTERMEDIATE, H),
        "ffn_up": (INTERMEDIATE, H),
        "ffn_down": (H, INTERMEDIATE),
    }
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (V, H), "output_norm": (H,), "output": (V, H)}
    for n in range(LAYERS):
        shapes |= {f"blk.{n}.{name}": shape for name, shape in layer.items()}
    rng = np.random.default_rng(2)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def permute(matrix: npt.NDArray[Any], heads: int) -> npt.NDArray[Any]:
    """Reorder rows as conversion to GGUF does."""
    halves = matrix.reshape(heads, 2, matrix.shape[0] // heads // 2, *matrix.shape[1:])
    return halves.swapaxes(1, 2).reshape(matrix.shape)


def as_stored(arrays: Arrays) -> Arrays:
    """Return the arrays with rows in the order of GGUF."""
    heads = {"attn_q": HEADS, "attn_k": KV_HEADS}
    return {
        name: permute(array, heads[name.split(".")[-1]]) if name.split(".")[-1] in heads else array
        for name, array in arrays.items()
    }


Stored = dict[str, tuple[npt.NDArray[Any], GgmlType | None]]


def write(  # noqa: PLR0913  # the parts of a file
    path: Path,
    tensors: Stored,
    *,
    architecture: str = "llama",
    endian: Any = None,
    biases: Arrays | None = None,
    metadata: dict[str, Any] = METADATA,
    **changes: Any,
) -> Path:
    """Write a file with the metadata above, changed; `__` is `.` in keys, and the value ... omits one."""
    writer = gguf.GGUFWriter(path, architecture, endianess=endian or gguf.GGUFEndian.LITTLE)
    metadata = metadata | {key.replace("__", "."): value for key, value in changes.items()}
    for key, value in metadata.items():
        if isinstance(value, str):
            writer.add_string(key, value)
        elif isinstance(value, list):
            writer.add_array(key, value)
        elif isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif value is not ...:
            writer.add_uint32(key, value)
    for name, (array, kind) in tensors.items():
        writer.add_tensor(f"{name}.weight", array, raw_dtype=kind)
    for name, array in (biases or {}).items():
        writer.add_tensor(f"{name}.bias", array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def plain(arrays: Arrays) -> Stored:
    """Return the tensors of a file that has these arrays in their own types."""
    return {name: (array, None) for name, array in as_stored(arrays).items()}
