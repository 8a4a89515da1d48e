"""Stage `model`: relations between members of the metadata."""

from collections.abc import Iterator

from llq_format.metadata.findings import Finding, Place, shown
from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Model


def check_model(metadata: Metadata) -> Iterator[Finding]:
    """Yield the findings of stage `model`."""
    yield from _extensions(metadata)
    if metadata.model is not None:
        yield from _relations(metadata.model)
    yield from _token_ids(metadata)
    yield from _file_names(metadata)


def _extensions(metadata: Metadata) -> Iterator[Finding]:
    used = set(metadata.extensions_used or ())
    named = [(f"/extensions_required/{i}", name) for i, name in enumerate(metadata.extensions_required or ())]
    named += [(f"/extensions/{name}", name) for name in metadata.extensions or ()]
    for index, tensor in enumerate(metadata.tensors):
        named += [(f"/tensors/{index}/extensions/{name}", name) for name in tensor.extensions or ()]
    for pointer, name in named:
        if name not in used:
            yield Finding(
                "LLQ-EXT-2", Place(pointer=pointer), shown(name), "a name that extensions_used lists"
            )


def _relations(model: Model) -> Iterator[Finding]:
    if model.num_heads % model.num_kv_heads:
        place = Place(pointer="/model/num_heads")
        yield Finding("LLQ-MODEL-1", place, f"{model.num_heads}", f"a multiple of {model.num_kv_heads}")
    for number, layer in enumerate(model.layers):
        attention, pointer = layer.attention, f"/model/layers/{number}"
        if attention.qk_norm and not attention.rope:
            yield Finding(
                "LLQ-MODEL-2", Place(pointer=f"{pointer}/attention/qk_norm"), "true without rope", "false"
            )
        if attention.temperature is not None and attention.rope:
            where = Place(pointer=f"{pointer}/attention/temperature")
            yield Finding("LLQ-MODEL-2", where, "a temperature with rope", "null")
        if layer.ffn.moe is not None and not layer.ffn.gated:
            yield Finding("LLQ-MODEL-3", Place(pointer=f"{pointer}/ffn/gated"), "false with moe", "true")
    if model.fp16_layers > len(model.layers):
        place = Place(pointer="/model/activations/fp16_layers")
        yield Finding("LLQ-MODEL-4", place, f"{model.fp16_layers}", f"at most {len(model.layers)}")


def _token_ids(metadata: Metadata) -> Iterator[Finding]:
    model, tokenizer = metadata.model, metadata.tokenizer
    if model is None or tokenizer is None:
        return
    ids = [(f"/tokenizer/eos_token_ids/{i}", token) for i, token in enumerate(tokenizer.eos_token_ids)]
    if tokenizer.bos_token_id is not None:
        ids.append(("/tokenizer/bos_token_id", tokenizer.bos_token_id))
    for pointer, token in ids:
        if token >= model.vocab_size:
            yield Finding("LLQ-MODEL-5", Place(pointer=pointer), f"{token}", f"less than {model.vocab_size}")


def _file_names(metadata: Metadata) -> Iterator[Finding]:
    count = len(metadata.shards)
    for index, entry in enumerate(metadata.shards):
        yield from _named(
            f"/shards/{index}", entry.file, shard_name(metadata.stem, index, count), "LLQ-PKG-4"
        )
    if metadata.module is not None:
        yield from _named("/module", metadata.module.file, module_name(metadata.stem), "LLQ-PKG-4")
    if metadata.tokenizer is not None:
        yield from _named("/tokenizer", metadata.tokenizer.file, "tokenizer.json", "LLQ-PKG-5")
    if metadata.program is not None:
        yield from _named("/program", metadata.program.file, "program.json", "LLQ-PKG-5")
        if metadata.module is None:
            yield Finding(
                "LLQ-PKG-5", Place(pointer="/program"), "a program without a module", "a module too"
            )
        if metadata.model is None:
            yield Finding("LLQ-PKG-11", Place(pointer="/program"), "a program without a model", "a model too")


def _named(pointer: str, found: str, expected: str, rule: str) -> Iterator[Finding]:
    if found != expected:
        yield Finding(rule, Place(pointer=f"{pointer}/file"), shown(found), repr(expected))


def shard_name(stem: str, index: int, count: int) -> str:
    """Return the name of shard `index` (from 0) of `count` (rule LLQ-PKG-4)."""
    return f"{stem}-{index + 1:05d}-of-{count:05d}.llq"


def module_name(stem: str) -> str:
    """Return the name of the WGSL module (rule LLQ-PKG-4)."""
    return f"{stem}.wgsl"
