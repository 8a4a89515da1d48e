"""`llq inspect`: the contents of a package."""

import json as json_module
from collections.abc import Sequence
from math import prod
from typing import Any

from rich.console import Console

import llq_format
from llq_format.cli.failures import about
from llq_format.cli.layers import print_layers
from llq_format.cli.options import All, Json, PackageAddress
from llq_format.cli.sizes import sizes_by_kind, tensor_bytes, total_size
from llq_format.cli.terminal import print_fields, print_heading, print_json, print_line, print_table, stdout
from llq_format.format.layout import VERSION_TEXT
from llq_format.metadata.metadata import Metadata, TensorEntry
from llq_format.metadata.model import Model
from llq_format.remote.addresses import is_address
from llq_format.remote.packages import open_index

_HEAD, _TAIL = 14, 3  # rows at the start and the end of a shortened list


def inspect(path: PackageAddress, *, json: Json = False, show_all: All = False) -> None:
    """Print the model, sizes, files and tensors of a package.

    The command checks metadata.json but does not read the shards. To check them, use `llq validate`.

    Example: llq inspect smollm2

    Of an address, only metadata.json is read.

    Example: llq inspect smollm2 --json | jq '.total.bits_per_weight'

    Example: llq inspect https://example.org/smollm2
    """
    with about(path):
        if is_address(path):
            metadata, metadata_bytes = open_index(path)
        else:
            with llq_format.open(path) as package:
                metadata, metadata_bytes = package.metadata, len(package.metadata_bytes)
    if json:
        print_json(_as_json(path, metadata, metadata_bytes))
    else:
        _print_human(stdout(), metadata, metadata_bytes, show_all=show_all)


def files_by_kind(metadata: Metadata) -> list[tuple[str, str, int, str]]:
    """Return (kind, name, byte_length, sha256) of every file that the metadata lists."""
    file_entries = {"tokenizer": metadata.tokenizer, "module": metadata.module, "program": metadata.program}
    entries = [("shard", shard) for shard in metadata.shards]
    entries += [(kind, entry) for kind, entry in file_entries.items() if entry is not None]
    return [(kind, entry.file, entry.byte_length, entry.sha256) for kind, entry in entries]


def _as_json(path: str, metadata: Metadata, metadata_bytes: int) -> dict[str, Any]:
    root = metadata.to_json()
    root["tensors"] = [
        {**entry, "weights": prod(tensor.shape), "byte_length": tensor_bytes(tensor)}
        for entry, tensor in zip(root["tensors"], metadata.tensors, strict=True)
    ]
    return {
        "path": path,
        **root,
        "metadata_byte_length": metadata_bytes,
        "sizes": [size.to_json() for size in sizes_by_kind(metadata)],
        "total": total_size(metadata).to_json(),
    }


def _print_human(console: Console, metadata: Metadata, metadata_bytes: int, *, show_all: bool) -> None:
    kind = "weights package" if metadata.model is None else "model package"
    print_line(console, f"LLQ {VERSION_TEXT} {kind} {metadata.stem}", "bold")
    fields = [("digest", metadata.digest), ("shard_limit", f"{metadata.shard_limit:,} bytes")]
    fields += [
        (name, ", ".join(value))
        for name, value in (
            ("extensions_used", metadata.extensions_used),
            ("extensions_required", metadata.extensions_required),
        )
        if value
    ]
    if metadata.tokenizer is not None:
        bos, template = metadata.tokenizer.bos_token_id, metadata.tokenizer.chat_template
        ends = ", ".join(map(str, metadata.tokenizer.eos_token_ids)) or "none"
        words = "no chat template" if template is None else f"chat template of {len(template):,} characters"
        fields.append(("tokenizer", f"bos {'none' if bos is None else bos}, eos {ends}, {words}"))
    if metadata.extras:
        text = json_module.dumps(metadata.extras)
        fields.append(("extras", text if show_all or len(text) <= 240 else f"{text[:240]}… (--all shows it)"))
    print_fields(console, fields)
    if metadata.model is not None:
        _print_model(console, metadata.model)
    print_heading(console, "sizes")
    print_table(
        console,
        ("kind", "tensors", "weights", "bytes", "bits/weight"),
        [
            (size.kind, size.tensors, size.weights, size.byte_length, size.bits_per_weight)
            for size in (*sizes_by_kind(metadata), total_size(metadata))
        ],
    )
    files = [("metadata", "metadata.json", metadata_bytes), *(file[:3] for file in files_by_kind(metadata))]
    _print_list(console, "files", ("kind", "file", "bytes"), files, show_all=show_all, left_columns=(0, 1))
    _print_list(
        console,
        "tensors",
        ("name", "dtype", "shape", "parts", "bytes"),
        [_tensor_row(tensor) for tensor in metadata.tensors],
        show_all=show_all,
        left_columns=(0, 1),
    )


def _tensor_row(tensor: TensorEntry) -> tuple[object, ...]:
    shape = " × ".join(map(str, tensor.shape))
    return tensor.name, tensor.dtype, shape, len(tensor.parts), tensor_bytes(tensor)


def _print_model(console: Console, model: Model) -> None:
    print_heading(console, "model")
    fields = [
        ("width", f"{model.hidden_size}, vocabulary {model.vocab_size}, context {model.context_length}"),
        (
            "heads",
            f"{model.num_heads} queries, {model.num_kv_heads} keys and values, {model.head_dim} wide",
        ),
        ("rope_pairing", model.rope_pairing),
        ("embeddings", "tied" if model.tied_embeddings else "untied"),
        ("activations", f"binary16 in {model.fp16_layers} of {len(model.layers)} layers"),
        ("rms_norm_eps", f"{model.rms_norm_eps:g}"),
    ]
    print_fields(console, fields)
    print_layers(console, model)


def _print_list(  # noqa: PLR0913  # the parts of a table
    console: Console,
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    show_all: bool,
    left_columns: Sequence[int],
) -> None:
    """Print a table; rows in the middle of a long table are omitted."""
    print_heading(console, f"{title} ({len(rows):,})")
    hidden = 0 if show_all else max(0, len(rows) - _HEAD - _TAIL)
    if hidden > 1:
        fold = (f"… {hidden:,} more (--all)", *("" for _ in head[1:]))
        rows = [*rows[:_HEAD], fold, *rows[-_TAIL:]]
    print_table(console, head, rows, left_columns)
