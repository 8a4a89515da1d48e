"""The execution program: stage program, its size, JSON, schema and limits; and valid ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vectors.cases.control import control_files, control_raw
from vectors.kit.canonical import canonical
from vectors.kit.model import model_package, tiny, with_tokenizer
from vectors.kit.package import Package, Sealed, digest_of
from vectors.kit.program import MODULE, buffer, program, with_program
from vectors.kit.registry import Key, invalid, valid

if TYPE_CHECKING:
    from collections.abc import Callable

Json = Any
Change = tuple[str, Json]
LIMIT = 16_777_216
GONE = "(gone)"
"""The value of a member that is removed."""


def bare() -> Package:
    """Return the model without module and program."""
    return with_tokenizer(model_package(tiny()))


def edit(value: Json, pointer: str, new: Json) -> None:
    """Set or remove the value at a JSON pointer."""
    *steps, last = pointer.split("/")[1:]
    for step in steps:
        value = value[int(step)] if isinstance(value, list) else value[step]
    if isinstance(value, list):
        value[int(last)] = new
    elif new == GONE:
        del value[last]
    else:
        value[last] = new


def changed(*changes: Change, module: str = MODULE) -> Package:
    """Return the control with some values of its program changed."""
    package = bare()
    value = program(package)
    for pointer, new in changes:
        edit(value, pointer, new)
    return with_program(package, value, module)


def respelled(spell: Callable[[bytes], bytes]) -> Package:
    """Return the control with the bytes of its program changed."""
    package = bare()
    text = canonical(program(package)).encode()
    with_program(package)
    return package.attach("program", "program.json", spell(text))


@invalid("LLQ-PKG-11")
def program_of_weights() -> Package:
    """A package with a program MUST have a model: this one holds weights alone."""
    package = control_raw()
    return with_program(package, program(bare()))


# ---- Valid ----

FREE: dict[str, list[Change]] = {
    "a binary32 KV cache": [("/kv_cache", "f32")],
    "a context shorter than the model's": [("/context_length", 1)],
    "a chunk of one token": [("/chunk", 1), ("/buffers/tokens/bytes", 4), ("/buffers/all_logits/bytes", 20)],
    Key("the greatest words", "the largest words"): [
        ("/parameters/0", [0, 4_294_967_295, {"f32": -3.4028234663852886e38}])
    ],
    "64 words in a slot": [("/parameters/0", list(range(64)))],
    Key("the greatest grid", "the largest grid"): [("/passes/decode/0/workgroups", [65_535, 65_535, 65_535])],
    "buffers whose names differ in case": [("/buffers/X", buffer(4)), ("/buffers/Keys.0", buffer(4))],
    "a buffer of 128 MiB": [("/buffers/X", buffer(134_217_728))],
    "a range of all bytes after the preamble": [
        ("/weights/norm/offset", 256),
        ("/weights/norm/size", 11_776),
    ],
    "names of JavaScript": [("/buffers/constructor", buffer(4)), ("/buffers/toString", buffer(4))],
}


@valid("LLQ-PROG-3", "LLQ-PROG-4", "LLQ-PROG-12", "LLQ-PROG-14", cases=FREE)
def program_with(changes: list[Change]) -> Package:
    """The program has {}."""
    return changed(*changes)


@valid("LLQ-PROG-19")
def range_bound_twice() -> Package:
    """A dispatch binds a range of weights twice, both times for reading."""
    package = bare()
    value = program(package)
    value["pipelines"]["touch"] = ["read", "read_write", "read"]
    for dispatches in value["passes"].values():
        for dispatch in dispatches:
            dispatch["bindings"].append("norm")
    value["passes"]["decode"][0]["bindings"] = ["norm", "x", "norm"]
    return with_program(package, value)


@valid("LLQ-PROG-19")
def buffer_bound_twice() -> Package:
    """A dispatch binds a buffer twice, both times for reading."""
    package = bare()
    value = program(package)
    value["pipelines"]["touch"] = ["read", "read_write", "read"]
    for dispatches in value["passes"].values():
        for dispatch in dispatches:
            dispatch["bindings"].append("norm")
    value["passes"]["decode"][1]["bindings"] = ["x", "logits", "x"]
    return with_program(package, value)


@valid("LLQ-PROG-9", "LLQ-PROG-15")
def entry_points_that_differ_in_case() -> Package:
    """The program has the entry points touch and Touch, and uses both."""
    other = "@compute @workgroup_size(1)\nfn Touch() {\n}\n\n"
    module = MODULE.replace("@compute", f"{other}@compute", 1)
    dispatch = {"entry_point": "Touch", "bindings": [], "parameters": 2}
    return changed(
        ("/pipelines/Touch", []),
        ("/passes/last/0", {"label": "Touch", "workgroups": [1, 1, 1], **dispatch}),
        module=module,
    )


# ---- Size, JSON, schema ----


@invalid("LLQ-PROG-1")
def program_of_one_byte() -> Package:
    """The program is one byte long, and MUST be at least 2 bytes long."""
    return respelled(lambda _text: b"7")


@invalid("LLQ-PROG-1")
def program_too_long() -> Sealed:
    """The program is one byte longer than 16,777,216, and every byte is NUL."""
    package = control_files()
    data = bytes(LIMIT + 1)
    package.set("/program/byte_length", len(data)).set("/program/sha256", digest_of(data))
    sealed = package.seal().then("truncate", "program.json", byte_length=len(data))
    sealed.files["program.json"] = b""
    return sealed


@invalid("LLQ-WGSL-4", "LLQ-PROG-1")
def program_too_long_and_module_with_an_error() -> Sealed:
    """The program is too long, and an entry point of the module has no size: the module comes first."""
    package = control_files()
    package.attach("module", "vector.wgsl", MODULE.replace("@workgroup_size(64)", "").encode())
    data = bytes(LIMIT + 1)
    package.set("/program/byte_length", len(data)).set("/program/sha256", digest_of(data))
    sealed = package.seal().then("truncate", "program.json", byte_length=len(data))
    sealed.files["program.json"] = b""
    return sealed


def deep(levels: int) -> bytes:
    """Return arrays in arrays."""
    return b"[" * levels + b"]" * levels


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    Key("a byte that is no UTF-8", "a byte that is not UTF-8"): lambda text: text.replace(
        b"portable", b"port\xffble"
    ),
    "a line feed at its end": lambda text: text + b"\n",
    "members out of order": lambda text: text[:-1].replace(b'"chunk":3,', b"") + b',"chunk":3}',
    "a member twice": lambda text: text.replace(b'"chunk":3', b'"chunk":3,"chunk":3'),
    "a member twice by an escape": lambda text: text.replace(b'"chunk":3', b'"chunk":3,"c\\u0068unk":3'),
    "NaN": lambda text: text.replace(b'{"f32":0.00001}', b'{"f32":NaN}'),
    Key("a number beyond binary64", "a number outside binary64"): lambda text: text.replace(
        b'{"f32":0.00001}', b'{"f32":1e400}'
    ),
    Key("an integer beyond 2^53", "an integer above 2^53"): lambda text: text.replace(
        b'"chunk":3', b'"chunk":9007199254740993'
    ),
    "4.0 for 4": lambda text: text.replace(b"[4]", b"[4.0]"),
    "-0 for 0": lambda text: text.replace(b'"parameters":0', b'"parameters":-0', 1),
    "a lone surrogate": lambda text: text.replace(b"portable", b"\\ud800"),
    "33 levels": lambda _text: deep(33),
    "20,000 levels": lambda _text: deep(20_000),
    "a page of HTML": lambda _text: b"<!DOCTYPE html><title>404</title>",
}


@invalid("LLQ-PROG-2", cases=SPELLINGS)
def program_spelled_with(spell: Callable[[bytes], bytes]) -> Package:
    """The program has {}, and MUST be canonical JSON."""
    return respelled(spell)


MEMBERS = ("version", "context_length", "variants", "parameters")


@invalid("LLQ-PROG-3", cases={name: name for name in MEMBERS})
def program_without(name: str) -> Package:
    """The program has no member {}."""
    return changed((f"/{name}", GONE))


@invalid("LLQ-PROG-3", cases={n: n for n in ("prefill", "last", "logits", "greedy", "sample", "decode")})
def pass_absent(name: str) -> Package:
    """The program has no pass {}."""
    return changed((f"/passes/{name}", GONE))


DISPATCH = "/passes/decode/0"
UNFIT: dict[str, Change] = {
    "an unknown member": ("/steps", []),
    "an unknown pass": ("/passes/encode", []),
    "a pass without dispatches": ("/passes/last", []),
    "no variant": ("/variants", []),
    "a section twice in a variant": ("/variants/1/sections", ["step_packed", "touch", "touch"]),
    "a directive that is none": ("/variants/1/directives", ["enable f16; @compute"]),
    "a chunk of no tokens": ("/chunk", 0),
    "a chunk that is true": ("/chunk", True),
    "a context of no positions": ("/context_length", 0),
    "a KV cache of 8 bits": ("/kv_cache", "i8"),
    "a negative word": ("/parameters/0", [-1]),
    "a word of 33 bits": ("/parameters/0", [4_294_967_296]),
    Key("a word beyond binary32", "a word outside binary32"): ("/parameters/0", [{"f32": 3.5e38}]),
    "a word of another type": ("/parameters/0", [{"i32": 1}]),
    "65 words in a slot": ("/parameters/0", list(range(65))),
    "a grid of two dimensions": (f"{DISPATCH}/workgroups", [1, 1]),
    "no tokens per workgroup": (f"{DISPATCH}/workgroups/1", {"tokens_per_workgroup": 0}),
    "an unknown dimension": (f"{DISPATCH}/workgroups/1", {"rows_per_workgroup": 1}),
    "a dispatch without parameters": (f"{DISPATCH}/parameters", GONE),
    "a dispatch with an unknown member": (f"{DISPATCH}/indirect", True),
    "an empty label": (f"{DISPATCH}/label", ""),
    "a label that a terminal obeys": (f"{DISPATCH}/label", "\u001b[31mred"),
    Key("an entry point that is no identifier", "an entry point that is not an identifier"): (
        "/pipelines/touch-it",
        ["read"],
    ),
    "a buffer named __proto__": ("/buffers/__proto__", buffer(4)),
    "a buffer without name": ("/buffers/", buffer(4)),
    Key("a buffer that begins otherwise", "a buffer with an unknown initial value"): (
        "/buffers/x/init",
        "random",
    ),
    "a buffer of half a byte": ("/buffers/x/bytes", 0.5),
    "a negative slot": (f"{DISPATCH}/parameters", -1),
}


@invalid("LLQ-PROG-3", cases=UNFIT)
def program_has(change: Change) -> Package:
    """The program has {}."""
    return changed(change)


NINE = ["embedding", "x", *["norm"] * 7]
LIMITS: dict[str, Change] = {
    "a range that is misaligned": ("/weights/norm/offset", 11_392),
    "a range of 6 bytes": ("/weights/norm/size", 6),
    "an empty range": ("/weights/norm/size", 0),
    "a range of more than 128 MiB": ("/weights/norm/size", 134_217_732),
    "a dispatch of 65,536 workgroups": (f"{DISPATCH}/workgroups", [65_536, 1, 1]),
    "a dispatch of no workgroups": (f"{DISPATCH}/workgroups", [1, 0, 1]),
    "nine bindings": (f"{DISPATCH}/bindings", NINE),
    "a pipeline of nine bindings": ("/pipelines/other", ["read"] * 9),
    "a buffer of more than 128 MiB": ("/buffers/x/bytes", 134_217_732),
    "a negative buffer": ("/buffers/x/bytes", -4),
}


@invalid("LLQ-PROG-4", cases=LIMITS)
def beyond_limits_by(change: Change) -> Package:
    """The program has {}, which a device with default limits cannot execute."""
    return changed(change)
