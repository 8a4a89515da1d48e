"""From a checkpoint to a package, one tensor in memory at a time."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from llq_format.checkpoint import Checkpoint, open_checkpoint
from llq_format.layout import SHARD_LIMIT_DEFAULT, Dtype, is_int4
from llq_format.metadata import Metadata
from llq_format.model import Model, TensorRole, tensor_roles
from llq_format.part_data import TensorPlan
from llq_format.quantize import METHODS, QuantizeError, Scheme, quantize
from llq_format.webgpu.package_files import PROGRAM, ProgramOptions, package_files
from llq_format.writer import PackageWriter

Raw = Literal["f16", "f32"]
Head = Literal["int4", "f16"]


def export(  # noqa: PLR0913  # one argument an option of `llq export`
    checkpoint: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    scheme: Scheme = "affine",
    method: str = "rtn",
    head: Head = "int4",
    embedding: Raw = "f16",
    stem: str | None = None,
    shard_limit: int = SHARD_LIMIT_DEFAULT,
    program: ProgramOptions | None = PROGRAM,
    overwrite: bool = False,
    on_total: Callable[[int, str], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Metadata:
    """Quantize the checkpoint at a path into the package `directory`, and return its metadata.

    The same checkpoint and options give the same bytes. Memory stays near one tensor in float32.
    method: `rtn`, rounding to nearest over each block's range. head: how an untied lm_head is stored.
    stem: first part of file names, by default made from the name of the checkpoint's file or directory.
    program: how the program is planned that is written with its WGSL module; None leaves both out.
    on_total: called with the number of bytes of all shards and the stem before the first is written.
    Raises CheckpointError, QuantizeError (naming the tensor), FileExistsError, ShardLimitError, LLQError, or
    UnplannableError for a model that WebGPU's default limits cannot hold.
    """
    rounder = METHODS[method][scheme]
    with open_checkpoint(checkpoint) as source:
        model = Model.from_json(source.model)
        plans = [_plan(role, scheme, head, embedding) for role in tensor_roles(model)]
        chosen = stem or _stem(Path(checkpoint))
        with PackageWriter(
            directory,
            plans,
            stem=chosen,
            shard_limit=shard_limit,
            model=model,
            tokenizer=source.tokenizer,
            extras={"provenance": {**source.provenance, "method": method, "scheme": scheme}},
            overwrite=overwrite,
            progress=progress,
            **package_files(program),
        ) as writer:
            if on_total is not None:
                on_total(writer.total_bytes, chosen)
            for plan in plans:
                _add(writer, source, plan, rounder)
            return writer.finish()


def _plan(role: TensorRole, scheme: Scheme, head: Head, embedding: Raw) -> TensorPlan:
    """Return how a tensor is stored: matrices as INT4, the embedding as asked, the small rest as f32."""
    dtype: Dtype = "f32"
    if role.name == "embedding":
        dtype = embedding
    elif role.name == "lm_head" and head != "int4":
        dtype = head
    elif any(is_int4(allowed) for allowed in role.dtypes):
        dtype = "int4_affine" if scheme == "affine" else "int4_symmetric"
    return TensorPlan(role.name, dtype, role.shape)


def _add(writer: PackageWriter, source: Checkpoint, plan: TensorPlan, rounder: Any) -> None:
    """Load, quantize and write one tensor; its float32 form is gone when this returns."""
    weights = source.load(plan.name)
    if not is_int4(plan.dtype):
        writer.add(plan.name, weights)
        return
    try:
        packed = quantize(weights, method=rounder)
    except QuantizeError as error:
        raise QuantizeError(f"tensor {plan.name!r}: {error}") from None
    writer.add(plan.name, packed)


def _stem(path: Path) -> str:
    """Return a legal stem made of the checkpoint's name: lower case, without .gguf, at most 64 characters."""
    name = path.resolve().name.lower().removesuffix(".gguf")
    return re.sub(r"[^a-z0-9._-]+", "-", name).lstrip("._-")[:64] or "model"
