"""Stage `model`: relations between members of the metadata."""

from collections.abc import Iterator

from llq_format.metadata.findings import Finding, Place
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import AFFINE_MEMBERS, ATTENTION_AFFINE, Model
from llq_format.metadata.schema import check_attention_affine


def check_model(metadata: Metadata) -> Iterator[Finding]:
    """Yield the findings of stage `model`."""
    yield from _extensions(metadata)
    yield from _affine(metadata)
    if metadata.model is not None:
        yield from _relations(metadata.model)
    yield from _token_ids(metadata)
    yield from _file_names(metadata)


def _extensions(metadata: Metadata) -> Iterator[Finding]:
    listed = set(metadata.extensions_used or ())
    names = [(f"/extensions_required/{i}", name) for i, name in enumerate(metadata.extensions_required or ())]
    names += [(f"/extensions/{name}", name) for name in metadata.extensions or ()]
    for index, tensor in enumerate(metadata.tensors):
        names += [(f"/tensors/{index}/extensions/{name}", name) for name in tensor.extensions or ()]
    for pointer, name in names:
        if name not in listed:
            yield Finding("extension-unlisted", Place(pointer=pointer), {"name": name})


def _affine(metadata: Metadata) -> Iterator[Finding]:
    """Yield violations of LLQ-AFFINE-1 to LLQ-AFFINE-5."""
    used = metadata.extensions_used or ()
    if ATTENTION_AFFINE not in used:
        return
    findings = list(_affine_use(metadata, used.index(ATTENTION_AFFINE)))
    data = (metadata.extensions or {}).get(ATTENTION_AFFINE)
    findings = findings or check_attention_affine(data)
    if findings or metadata.model is None or data is None:
        yield from findings
        return
    pointer, elements, layers = (
        f"/extensions/{ATTENTION_AFFINE}/layers",
        data["layers"],
        metadata.model.layers,
    )
    if len(elements) != len(layers):
        counts = {"elements": len(elements), "layers": len(layers)}
        yield Finding("affine-layers-count", Place(pointer=pointer), counts)
    if not any(element[member] for element in elements for member in AFFINE_MEMBERS):
        yield Finding("affine-without-effect", Place(pointer=pointer))
    for number, (element, layer) in enumerate(zip(elements, layers, strict=False)):
        if element["weighted_qk_norm"] and layer.attention.qk_norm:
            yield Finding("affine-two-norms", Place(pointer=f"{pointer}/{number}/weighted_qk_norm"))


def _affine_use(metadata: Metadata, index: int) -> Iterator[Finding]:
    """Yield violations of LLQ-AFFINE-1; index: of the extension in `extensions_used`."""
    name = {"name": ATTENTION_AFFINE}
    if ATTENTION_AFFINE not in (metadata.extensions_required or ()):
        yield Finding("affine-not-required", Place(pointer=f"/extensions_used/{index}"), name)
    if metadata.model is None:
        yield Finding("affine-without-model", Place(pointer=""), name)
    if ATTENTION_AFFINE not in (metadata.extensions or {}):
        yield Finding("affine-data-missing", Place(pointer=""), name)
    for number, tensor in enumerate(metadata.tensors):
        if ATTENTION_AFFINE in (tensor.extensions or {}):
            place = Place(pointer=f"/tensors/{number}/extensions/{ATTENTION_AFFINE}", tensor=tensor.name)
            yield Finding("affine-data-of-a-tensor", place, name)


def _relations(model: Model) -> Iterator[Finding]:
    if model.num_heads % model.num_kv_heads:
        heads = {"num_heads": model.num_heads, "num_kv_heads": model.num_kv_heads}
        yield Finding("heads-not-a-multiple", Place(pointer="/model/num_heads"), heads)
    for number, layer in enumerate(model.layers):
        attention, pointer = layer.attention, f"/model/layers/{number}"
        if attention.qk_norm and not attention.rope:
            yield Finding("qk-norm-without-rope", Place(pointer=f"{pointer}/attention/qk_norm"))
        if attention.temperature is not None and attention.rope:
            yield Finding("temperature-with-rope", Place(pointer=f"{pointer}/attention/temperature"))
        if layer.ffn.moe is not None and not layer.ffn.gated:
            yield Finding("experts-not-gated", Place(pointer=f"{pointer}/ffn/gated"))
    if model.fp16_layers > len(model.layers):
        place = Place(pointer="/model/activations/fp16_layers")
        layers = {"fp16_layers": model.fp16_layers, "num_layers": len(model.layers)}
        yield Finding("fp16-layers-too-many", place, layers)


def _token_ids(metadata: Metadata) -> Iterator[Finding]:
    model, tokenizer = metadata.model, metadata.tokenizer
    if model is None or tokenizer is None:
        return
    ids = [(f"/tokenizer/eos_token_ids/{i}", token) for i, token in enumerate(tokenizer.eos_token_ids)]
    if tokenizer.bos_token_id is not None:
        ids.append(("/tokenizer/bos_token_id", tokenizer.bos_token_id))
    for pointer, token in ids:
        if token >= model.vocab_size:
            values = {"token_id": token, "vocab_size": model.vocab_size}
            yield Finding("token-id-outside-vocabulary", Place(pointer=pointer), values)


def _file_names(metadata: Metadata) -> Iterator[Finding]:
    count = len(metadata.shards)
    for index, entry in enumerate(metadata.shards):
        expected = shard_name(metadata.stem, index, count)
        yield from _named("shard-name-wrong", f"/shards/{index}", entry.file, expected)
    if metadata.module is not None:
        yield from _named("module-name-wrong", "/module", metadata.module.file, module_name(metadata.stem))
    if metadata.tokenizer is not None:
        yield from _named("tokenizer-name-wrong", "/tokenizer", metadata.tokenizer.file, "tokenizer.json")
    if metadata.program is not None:
        yield from _named("program-name-wrong", "/program", metadata.program.file, "program.json")
        if metadata.module is None:
            yield Finding("program-without-module", Place(pointer="/program"))
        if metadata.model is None:
            yield Finding("program-without-model", Place(pointer="/program"))


def _named(code: str, pointer: str, name: str, expected: str) -> Iterator[Finding]:
    if name != expected:
        yield Finding(code, Place(pointer=f"{pointer}/file"), {"name": name, "expected": expected})


def shard_name(stem: str, index: int, count: int) -> str:
    """Return the name of shard `index` (from 0) of `count` (rule LLQ-PKG-4)."""
    return f"{stem}-{index + 1:05d}-of-{count:05d}.llq"


def module_name(stem: str) -> str:
    """Return the name of the WGSL module (rule LLQ-PKG-4)."""
    return f"{stem}.wgsl"
