"""`llq layout`: the layout of shards that the reader and the writer use."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from llq_format.cli.declared_layout.kaitai import definition
from llq_format.cli.declared_layout.structures import Structure, structures
from llq_format.cli.declared_layout.yaml_text import yaml_text
from llq_format.cli.options import Json
from llq_format.cli.terminal import print_json, print_line, print_table, stdout
from llq_format.format.layout import ALIGNMENT, VERSION_TEXT


def layout(
    *,
    kaitai: Annotated[
        bool, typer.Option("--kaitai", help="Print a Kaitai Struct definition (.ksy).")
    ] = False,
    json: Json = False,
) -> None:
    """Print the byte layout of shards: fields, offsets, types, sizes.

    The output is generated from the declarations that the reader and the writer use. --kaitai prints a
    Kaitai Struct definition, from which parsers in many languages can be generated.

    Example: llq layout

    Example: llq layout --kaitai > llq_shard.ksy
    """
    if kaitai and json:
        raise typer.BadParameter("a Kaitai Struct definition is YAML: remove --json", param_hint="--kaitai")
    if kaitai:
        sys.stdout.write(yaml_text(definition()))
    elif json:
        print_json(
            {"version": VERSION_TEXT, "alignment": ALIGNMENT, "structures": list(map(asdict, structures()))}
        )
    else:
        _print_tables()


def _print_tables() -> None:
    console = stdout()
    print_line(console, f"LLQ {VERSION_TEXT} shard: a preamble, then parts. Integers are little-endian.")
    print_line(
        console, f"align(x) is the smallest multiple of {ALIGNMENT} that is at least x. The padding is zeros."
    )
    for structure in structures():
        console.print()
        print_line(console, f"{structure.name}: {structure.title}", "bold")
        print_table(
            console, ("field", "offset", "type", "size", "value"), _rows(structure), left_columns=(0, 2, 4)
        )


def _rows(structure: Structure) -> list[tuple[object, ...]]:
    return [(row.field, row.offset, row.type, row.size, row.value or "") for row in structure.rows]
