"""`llq dump`: the annotated bytes of shards."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from llq_format.cli.annotated_bytes.blocks import block_count, block_json, blocks, row_json, rows_of
from llq_format.cli.annotated_bytes.dump_text import block_text, pieces_text, tensor_text
from llq_format.cli.annotated_bytes.ranges import Piece, content, part_piece, shard_pieces
from llq_format.cli.annotated_bytes.shard_bytes import ShardBytes
from llq_format.cli.commands.decode import check_name
from llq_format.cli.failures import about
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.terminal import print_json
from llq_format.format.layout import is_int4
from llq_format.metadata.findings import LLQError
from llq_format.metadata.metadata import MAX_BYTES, Metadata, TensorEntry
from llq_format.validation.package_files import package_directory, read_metadata
from llq_format.validation.text import check_text


def dump(
    path: PackagePath,
    *,
    tensor: Annotated[
        str | None,
        typer.Option(
            "--tensor",
            "-t",
            metavar="NAME",
            help="Name of a tensor: print only its bytes.",
            show_default=False,
        ),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option(
            "--block",
            "-b",
            metavar="N",
            min=0,
            help="Number of a block of the tensor: print its codes.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print the bytes of shards in hexadecimal, with annotations.

    Each byte range is printed with its name and meaning, at the offset that metadata.json gives. Only
    metadata.json is checked, so damaged shards can be printed. --tensor lists the blocks of an INT4 tensor,
    or the values of a raw tensor. --block prints the scale, the zero_point, the plane rows and the codes of
    a block.

    Example: llq dump smollm2 | less

    Example: llq dump smollm2 --tensor layers.0.attention.qkv --block 3
    """
    if block is not None and tensor is None:
        raise typer.BadParameter("a block belongs to a tensor: add --tensor NAME", param_hint="--block")
    directory = package_directory(path)
    with about(path):
        metadata = _metadata(directory)
    shards = [ShardBytes(directory, entry) for entry in metadata.shards]
    if tensor is None:
        if json:
            print_json([_shard_json(metadata, index, shard) for index, shard in enumerate(shards)])
        else:
            _write(line for i, s in enumerate(shards) for line in pieces_text(shard_pieces(metadata, i), s))
        return
    entry = _tensor(metadata, tensor)
    _check_shards(entry, metadata)
    if block is not None:
        _dump_block(entry, block, shards, json=json)
    elif json:
        print_json(_tensor_json(entry, shards))
    else:
        _write(tensor_text(entry, shards))


def _metadata(directory: Path) -> Metadata:
    """Return the metadata if it can be parsed. Raises LLQError with the first error otherwise."""
    metadata, findings = check_text(read_metadata(directory, MAX_BYTES))
    if metadata is None:
        raise LLQError(min(findings, key=lambda finding: finding.order))
    return metadata


def _tensor(metadata: Metadata, name: str) -> TensorEntry:
    by_name = {entry.name: entry for entry in metadata.tensors}
    check_name(name, list(by_name))
    return by_name[name]


def _check_shards(entry: TensorEntry, metadata: Metadata) -> None:
    for index, part in enumerate(entry.parts):
        if part.shard >= len(metadata.shards):
            raise ValueError(
                f"part {index} of {entry.name} has shard {part.shard}; expected a number less than "
                f"{len(metadata.shards)} (LLQ-PART-3)"
            )


def _dump_block(entry: TensorEntry, number: int, shards: list[ShardBytes], *, json: bool) -> None:
    if not is_int4(entry.dtype):
        raise typer.BadParameter(f"{entry.name} is {entry.dtype}, which has no blocks", param_hint="--block")
    count = block_count(entry)
    if number >= count:
        raise typer.BadParameter(f"{entry.name} has blocks 0 to {count - 1}", param_hint="--block")
    block = next(block for block in blocks(entry) if block.number == number)
    shard = shards[entry.parts[block.part].shard]
    if json:
        rows = [row_json(row) for row in rows_of(block, shard)]
        print_json({"tensor": entry.name, "file": shard.name, **block_json(block, shard), "rows": rows})
    else:
        _write(block_text(entry, block, shard))


def _write(lines: Iterator[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


def _shard_json(metadata: Metadata, index: int, shard: ShardBytes) -> dict[str, Any]:
    pieces = [_piece_json(piece, shard) for piece in shard_pieces(metadata, index)]
    return {"shard": index, "file": shard.name, "problem": shard.problem, "pieces": pieces}


def _tensor_json(entry: TensorEntry, shards: list[ShardBytes]) -> dict[str, Any]:
    parts = [_piece_json(part_piece(entry, i), shards[part.shard]) for i, part in enumerate(entry.parts)]
    value: dict[str, Any] = {
        "tensor": entry.name,
        "dtype": entry.dtype,
        "shape": list(entry.shape),
        "parts": [
            {"file": shards[part.shard].name, **piece} for part, piece in zip(entry.parts, parts, strict=True)
        ],
    }
    if is_int4(entry.dtype):
        value["blocks"] = [
            block_json(block, shards[entry.parts[block.part].shard]) for block in blocks(entry)
        ]
    return value


def _piece_json(piece: Piece, shard: ShardBytes) -> dict[str, Any]:
    ranges = []
    for item in piece.ranges:
        hexadecimal, value = content(item, shard)
        place = {"name": item.name, "offset": item.offset, "size": item.size}
        ranges.append({**place, "bytes": hexadecimal, "value": value})
    return {
        "tensor": piece.tensor.name if piece.tensor else None,
        "part": piece.part,
        "title": piece.title,
        "ranges": ranges,
    }
