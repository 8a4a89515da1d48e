"""Two fixed packages: one of tensors of every dtype in five shards, one of a small model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llq_format import Metadata, Model, TokenizerFiles, save
from llq_format.metadata.model import FFN, Attention, Layer, MoE, Temperature
from llq_format.webgpu.planning.program_files import module_bytes, program_maker
from tests.support.invented_packages import Tensor, least_limit, model_tensors, tensor

TENSORS: Mapping[str, Tensor] = {
    "a": tensor(1, "f16", (300,)),
    "b": tensor(2, "int4_affine", (130, 70)),  # three parts: a block row each
    "c": tensor(3, "int4_symmetric", (3, 5)),
    "d": tensor(4, "f32", (9, 64)),
}
# Shard 0 holds a; 1, 2 and 3 the parts of b; 4 holds c and d.

_ROPE = Attention(rope=True, qk_norm=True, chunk_size=8, temperature=None)
_NOPE = Attention(rope=False, qk_norm=False, chunk_size=None, temperature=Temperature(0.1, 64))
MODEL = Model(
    vocab_size=10,
    hidden_size=8,
    num_heads=4,
    num_kv_heads=2,
    head_dim=2,
    context_length=64,
    rms_norm_eps=1e-5,
    rope_pairing="interleaved",
    tied_embeddings=False,
    fp16_layers=1,
    layers=(Layer(_ROPE, FFN("silu", True, 5, MoE(2, 3))), Layer(_NOPE, FFN("gelu", False, 6, None))),  # noqa: FBT003  # `gated`
)
TOKENIZER = TokenizerFiles(b'{"model":{}}', 1, (2, 3), "{{ messages }}")


def write_tensors(directory: Path, **options: Any) -> Metadata:
    """Write the package of tensors."""
    return save(directory, TENSORS, **{"shard_limit": least_limit(TENSORS), **options})


def write_model(directory: Path, **options: Any) -> Metadata:
    """Write the package of the model, with tokenizer, module and program."""
    files = {"tokenizer": TOKENIZER, "module": module_bytes(), "program": program_maker()}
    return save(directory, model_tensors(MODEL, 5), **{"model": MODEL, **files, **options})
