"""The exporter: writes a package from a checkpoint, with one tensor or one layer in memory at a time."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.calibration import (
    RECIPES,
    Calibrated,
    ExpectedTime,
    SavedLayers,
    calibration,
    first_streams,
)
from llq_format.exporting.calibration.tokens import BUILTIN
from llq_format.exporting.checkpoint import Checkpoint, open_checkpoint
from llq_format.exporting.checkpoint.source_files import SourceFiles
from llq_format.exporting.checkpoint.split_names import name_without_part
from llq_format.exporting.checkpoint.warnings import ExportWarning, StrictError, warning
from llq_format.exporting.rounding.loss import RoundingLoss
from llq_format.exporting.transforms import TransformedModel
from llq_format.format.dequantize import LARGEST_WEIGHT
from llq_format.format.layout import SHARD_LIMIT_DEFAULT, VERSION_TEXT, Dtype, is_int4
from llq_format.format.quantize import METHODS, QuantizeError, Scheme, quantize
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import INV_FREQ, Model, TensorRole, tensor_roles
from llq_format.package.record_writer import TensorPlan
from llq_format.package.writer import PackageWriter
from llq_format.webgpu.planning.program_files import PROGRAM, ProgramOptions, package_files

Raw = Literal["f16", "f32"]
Head = Literal["int4", "f16"]
MethodName = Literal["rtn", "awq", "gptq", "best"]


def export(  # noqa: PLR0913  # one argument an option of `llq export`; its steps in order
    checkpoint: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    scheme: Scheme = "affine",
    method: MethodName | None = "rtn",
    calibrate: str | os.PathLike[str] = "builtin",
    seed: int = 0,
    head: Head | None = None,
    embedding: Raw = "f16",
    stem: str | None = None,
    shard_limit: int = SHARD_LIMIT_DEFAULT,
    program: ProgramOptions | None = PROGRAM,
    tokenizer: bool | str | os.PathLike[str] = True,
    overwrite: bool = False,
    on_total: Callable[[int, str], None] | None = None,
    progress: Callable[[int], None] | None = None,
    on_start: Callable[[int, str], None] | None = None,
    on_layer: Callable[[int], None] | None = None,
    strict: bool = False,
    on_warning: Callable[[ExportWarning], None] | None = None,
    on_expected: Callable[[ExpectedTime], None] | None = None,
) -> Metadata:
    """Quantize the checkpoint at a path into the package `directory`, and return its metadata.

    The same checkpoint and options give the same bytes; of methods that calibrate, on the same machine: sums
    in float32 depend on the processor. With `rtn` memory stays near one tensor in float32, otherwise near a
    layer in float64 and the activations of the calibration.
    method: `rtn`, rounding to nearest over each block's range, or one of RECIPES; they read the text
    `calibrate`, see `calibration`, and save finished layers in `.NAME.layers` next to the target. After an
    interruption, the same call checks them and resumes; a failed call leaves nothing. None, the default of
    `llq export`, is `best`, or `rtn` with a warning if the package has no tokenizer that can read the
    built-in text.
    seed: of the random rotations.
    head: number format of lm_head, by default INT4, or binary16 if it was tied to the embedding.
    stem: first part of file names, by default made from the name of the checkpoint's file or directory.
    program: options of the program, which is written with its WGSL module; None omits both.
    tokenizer: whether the package gets the checkpoint's tokenizer; or the path of another tokenizer.json.
    on_total: called with the number of bytes of all shards and the stem before the first is written.
    on_start: called with the number of layers and the stem before the first is rounded, of methods that
    calibrate; on_layer: with how many layers more are done, at first those of a stopped export.
    strict: refuse an export that has warnings. on_warning: called with each warning, in the order of ids.
    on_expected: called with the expected time of a method that calibrates, before it writes anything; an
    exception that it raises ends the export.
    Raises StrictError, CheckpointError (for a source that changes meanwhile, too), BlockingIOError if another
    process writes the same package, QuantizeError (naming the tensor), FileExistsError,
    ShardLimitError, LLQError, or UnplannableError for a model that WebGPU's default limits cannot hold.
    """
    source_files = SourceFiles(Path(checkpoint))
    with open_checkpoint(checkpoint, tokenizer=tokenizer) as source:
        source_model = Model.from_json(source.model)
        method, found = _method_for(source, source_model, method, calibrate, tokenizer=tokenizer is not False)
        if strict:
            _report(found, strict=True)
        provenance = {
            **source.provenance,
            "source_sha256": source_files.sha256(),
            "method": method,
            "scheme": scheme,
        }
        recipe = RECIPES.get(method)
        transformed = TransformedModel(
            source_model, source.load, recipe.transforms(source_model, seed) if recipe else ()
        )
        model = transformed.model
        if head == "int4" and model.tied_embeddings:
            raise ValueError(
                "this model has tied embeddings, and an embedding cannot be INT4: remove --head int4, "
                "or use --method best, which unties the head"
            )
        tokenized = None
        if recipe:
            tokenized = calibration(
                os.fspath(calibrate), source.tokenizer, model.vocab_size, model.context_length
            )
            provenance |= {"seed": seed, **tokenized.to_json()}
            if on_expected is not None:
                on_expected(ExpectedTime(method, source_model, tokenized.tokens.shape))
        chosen_head = head or ("f16" if transformed.untied else "int4")
        plans = [_plan(role, scheme, chosen_head, embedding) for role in tensor_roles(model)]
        stem_name = stem or stem_of(Path(checkpoint).resolve().name)
        with PackageWriter(
            directory,
            plans,
            stem=stem_name,
            shard_limit=shard_limit,
            model=model,
            tokenizer=source.tokenizer,
            extras={"provenance": provenance},
            overwrite=overwrite,
            progress=progress,
            **package_files(program, model),
        ) as writer:
            if on_total is not None:
                on_total(writer.total_bytes, stem_name)
            if recipe is None or tokenized is None:
                loss = RoundingLoss()
                for plan in plans:
                    _add(writer, source, plan, METHODS["rtn"][scheme], loss)
                warnings = sorted([*found, *loss.warnings()], key=lambda one: one.id)
                _report(warnings, strict=strict, on_warning=on_warning)
                source_files.check()
                metadata = writer.finish()
                SavedLayers.at(directory).discard()
                return metadata
            _report(found, strict=strict, on_warning=on_warning)
            _check_weights(source, source_model, embedding)
            inv_freq = source.load(INV_FREQ).astype(np.float64) if _ropes(model) else None
            calibrated = Calibrated(transformed, recipe, scheme, inv_freq)
            options = {"format": VERSION_TEXT, "embedding": embedding, "head": chosen_head}
            tokens_sha256 = hashlib.sha256(tokenized.tokens.tobytes()).hexdigest()
            saved_layers = SavedLayers.at(directory)
            with saved_layers.in_use({**provenance, **options, "tokens_sha256": tokens_sha256}):
                writer.add("embedding", transformed.embedding())
                if on_start is not None:
                    on_start(len(model.layers), stem_name)
                _add_layers(
                    writer, calibrated, saved_layers, tokenized.tokens, on_layer or (lambda _count: None)
                )
                _add_end(writer, calibrated, plans)
                source_files.check()
                return writer.finish()


def _method_for(
    source: Checkpoint,
    model: Model,
    method: MethodName | None,
    calibrate: str | os.PathLike[str],
    *,
    tokenizer: bool,
) -> tuple[MethodName, list[ExportWarning]]:
    """Return the method, and the warnings so far: None is `best`, or `rtn` if no text can be read.

    tokenizer: whether the package gets a tokenizer if there is one.
    """
    if method is not None or os.fspath(calibrate) != BUILTIN:
        return method or "best", list(source.warnings)
    remedy = "pass --calibration IDS.npy, a file of token ids"
    if not tokenizer:
        cause, remedy = "the package has no tokenizer", f"remove --no-tokenizer, or {remedy}"
    elif source.tokenizer is None:
        cause, remedy = "there is no tokenizer to read a text with", f"pass --tokenizer FILE, or {remedy}"
    else:
        try:
            calibration(BUILTIN, source.tokenizer, model.vocab_size, model.context_length)
        except ValueError as error:
            cause = str(error).partition(": use ")[0]
        else:
            return "best", list(source.warnings)
    fallback = warning("not-calibrated", cause=cause, remedy=remedy)
    return "rtn", sorted([*source.warnings, fallback], key=lambda one: one.id)


def _report(
    warnings: Iterable[ExportWarning],
    *,
    strict: bool,
    on_warning: Callable[[ExportWarning], None] | None = None,
) -> None:
    """Report warnings; raises StrictError if there are any and `strict` forbids them."""
    found = list(warnings)
    if strict and found:
        raise StrictError(found)
    if on_warning is not None:
        for one in found:
            on_warning(one)


def _check_weights(source: Checkpoint, model: Model, embedding: Raw) -> None:
    """Refuse weights that a package cannot store, by name (LLQ-WRITE-3), before the first layer is run.

    Methods that mix weights would spread such a weight and detect it late.
    """
    for role in tensor_roles(model):
        weights = np.atleast_2d(source.load(role.name))
        bounded = any(map(is_int4, role.dtypes)) or (role.name == "embedding" and embedding == "f16")
        most = LARGEST_WEIGHT if bounded else float(np.finfo(np.float32).max)
        _check_magnitudes(role.name, weights, most)


def _check_magnitudes(name: str, weights: NDArray[np.float32], most: float) -> None:
    """Refuse a weight whose magnitude is above `most`, or NaN; raises QuantizeError."""
    if float(weights.max()) <= most and float(weights.min()) >= -most:  # false for NaN
        return
    row, col = np.argwhere(~(np.abs(weights) <= most))[0]
    value = weights[row, col]
    why = f"outside ±{most:.0f}" if np.isfinite(value) else "not finite in binary32"
    fix = ": use --embedding f32" if name == "embedding" and np.isfinite(value) else ""
    raise QuantizeError(f"tensor {name!r}: the weight at row {row}, column {col} is {value:.7g}, {why}{fix}")


def _add_layers(
    writer: PackageWriter,
    calibrated: Calibrated,
    saved_layers: SavedLayers,
    tokens: NDArray[np.int64],
    on_layer: Callable[[int], None],
) -> None:
    """Write all layers: first the layers saved by an interrupted export, then newly rounded layers."""
    layers_done, streams = saved_layers.streams() or (0, first_streams(calibrated.source, tokens))
    calibrated.streams = streams
    on_layer(layers_done)
    for number in range(len(calibrated.source.model.layers)):
        layer = saved_layers.layer(number) if number < layers_done else calibrated.layer(number)
        if number >= layers_done:
            saved_layers.save(number, layer, calibrated.streams)
            on_layer(1)
        for name, tensor in layer.items():
            writer.add(f"layers.{number}.{name}", tensor)


def _add_end(writer: PackageWriter, calibrated: Calibrated, plans: list[TensorPlan]) -> None:
    """Write the tensors after the layers."""
    norm, head = calibrated.source.head()
    for plan in plans:
        if plan.name == "norm":
            writer.add("norm", norm)
        elif plan.name == "lm_head":
            tokenized = calibrated.head(norm, head)
            writer.add(
                "lm_head", calibrated.rounded_head(norm, tokenized) if is_int4(plan.dtype) else tokenized
            )
        elif plan.name == INV_FREQ and calibrated.inv_freq is not None:
            writer.add(INV_FREQ, calibrated.inv_freq)


def _ropes(model: Model) -> bool:
    return any(layer.attention.rope for layer in model.layers)


def _plan(role: TensorRole, scheme: Scheme, head: Head, embedding: Raw) -> TensorPlan:
    """Return the plan of a tensor: INT4 for matrices, the requested type for the embedding, else f32."""
    dtype: Dtype = "f32"
    if role.name == "embedding":
        dtype = embedding
    elif role.name == "lm_head" and head != "int4":
        dtype = head
    elif any(is_int4(allowed) for allowed in role.dtypes):
        dtype = "int4_affine" if scheme == "affine" else "int4_symmetric"
    return TensorPlan(role.name, dtype, role.shape)


def _add(
    writer: PackageWriter, source: Checkpoint, plan: TensorPlan, rounder: Any, loss: RoundingLoss
) -> None:
    """Load, quantize and write one tensor; its float32 form is released on return."""
    weights = source.load(plan.name)
    if not is_int4(plan.dtype):
        if plan.dtype == "f16":
            _check_magnitudes(plan.name, weights, LARGEST_WEIGHT)
        writer.add(plan.name, weights)
        return
    try:
        packed = quantize(weights, method=rounder)
    except QuantizeError as error:
        raise QuantizeError(f"tensor {plan.name!r}: {error}") from None
    loss.add(weights, packed)
    writer.add(plan.name, packed)


def stem_of(name: str) -> str:
    """Return a legal stem made of a checkpoint's name: lower case, without .gguf, at most 64 characters."""
    name = name_without_part(name).lower().removesuffix(".gguf")
    return re.sub(r"[^a-z0-9._-]+", "-", name).lstrip("._-")[:64] or "model"
