"""The WGSL module: stage program, rules WGSL."""

from __future__ import annotations

from vectors.cases.control import control_files
from vectors.kit.model import model_package, tiny, with_tokenizer
from vectors.kit.package import Package, Sealed, digest_of
from vectors.kit.program import MODULE, section, with_program
from vectors.kit.registry import Key, invalid, valid

LIMIT = 1_048_576


def control_module(module: str | bytes) -> Package:
    """Return the control with another module."""
    return with_program(with_tokenizer(model_package(tiny())), module=module)


def replaced(old: str, new: str) -> str:
    """Return the module with a piece of its text replaced."""
    if MODULE.count(old) != 1:
        raise ValueError(f"{old!r} occurs {MODULE.count(old)} times")
    return MODULE.replace(old, new)


def entry_points(number: int) -> str:
    """Return entry points that do nothing."""
    return "".join(f"@compute @workgroup_size(1) fn other{n}() {{\n}}\n" for n in range(number))


VARIED = {
    "line comments that hold everything": replaced(
        "// touch: target", "// @compute fn ghost( //: begin x\n// touch: target"
    ),
    "a section of no lines": section("empty", "", portable=False) + MODULE,
    "a workgroup of three sizes": replaced("@workgroup_size(64)\nfn", "@workgroup_size( 4 ,4, 16 )   fn"),
    "a workgroup of 64 in the third dimension": replaced("@workgroup_size(64)", "@workgroup_size(1, 1, 64)"),
    "a workgroup of 256 invocations": replaced("@workgroup_size(64)", "@workgroup_size(256)"),
    "line comments within an entry point": replaced(
        "@compute @workgroup_size(64)\nfn touch(",
        "@compute // one\n@workgroup_size( // (65)\n 64 // 64)\n) //\nfn // @compute\ntouch // touch(\n (",
    ),
    "a line comment directly after @compute": replaced("@compute ", "@compute//\n"),
    "the words of stages without @": replaced(
        "  return (word & 255u) + 1u;",
        "  let vertex = word & 255u;\n  let compute = vertex;\n  return compute + 1u;",
    ),
    "frames after a space": replaced("// The same", " //: end step_packed\n //: begin other\n// The same"),
    "an entry point that no pipeline names": replaced(
        "@compute", "@compute @workgroup_size(1) fn other() {\n}\n\n@compute"
    ),
    "300 entry points before the one that a pipeline names": replaced(
        "struct Touch", f"{entry_points(300)}\nstruct Touch"
    ),
    "300 empty sections before the others": "".join(
        section(f"empty_{n}", "", portable=False) for n in range(300)
    )
    + MODULE,
}


@valid("LLQ-WGSL-1", "LLQ-WGSL-2", "LLQ-WGSL-3", "LLQ-WGSL-4", cases=VARIED)
def module_with(module: str) -> Package:
    """The module has {}."""
    return control_module(module)


NOT_ASCII = {
    "a tab": b"\t// a comment\n",
    "a carriage return": b"// a comment\r\n",
    "a NUL": b"// a comment\0\n",
    "an e with acute": "// \u00e9\n".encode(),
}


@invalid("LLQ-WGSL-1", cases=NOT_ASCII)
def module_holds(comment: bytes) -> Package:
    """A comment of the module holds {}: the module MUST be printable ASCII and line feeds."""
    return control_module(MODULE.encode().replace(b"// touch", comment + b"// touch"))


@invalid("LLQ-WGSL-1")
def module_with_byte_order_mark() -> Package:
    """The module begins with a byte order mark."""
    return control_module(b"\xef\xbb\xbf" + MODULE.encode())


@invalid("LLQ-WGSL-1")
def module_too_long() -> Sealed:
    """The module is one byte longer than 1,048,576, and every byte is NUL."""
    package = control_files()
    data = bytes(LIMIT + 1)
    package.set("/module/byte_length", len(data)).set("/module/sha256", digest_of(data))
    sealed = package.seal().then("truncate", "vector.wgsl", byte_length=len(data))
    sealed.files["vector.wgsl"] = b""
    return sealed


def module_of(length: int) -> Package:
    """Return a package without a program, whose module has some length: comments in one frame."""
    frame = len(section("alone", ""))
    lines, rest = divmod(length - frame, 64)
    text = ("//".ljust(63, "-") + "\n") * (lines - 1) + "//".ljust(63 + rest, "-") + "\n"
    module = section("alone", text).encode()
    return with_tokenizer(model_package(tiny())).attach("module", "vector.wgsl", module)


@valid("LLQ-WGSL-1")
def module_of_1048576_bytes() -> Package:
    """The module has 1,048,576 bytes, the maximum."""
    return module_of(LIMIT)


@invalid("LLQ-WGSL-1")
def module_of_1048577_bytes() -> Package:
    """The module has 1,048,577 bytes, one more than allowed, and violates no other rule."""
    return module_of(LIMIT + 1)


UNFRAMED = {
    "a comment before the first section": "// LLQ\n" + MODULE,
    "an empty line between sections": MODULE.replace("//: begin touch", "\n//: begin touch"),
    Key("a line behind the last section", "a line after the last section"): MODULE + "\n",
    "no section": "fn step() {\n}\n",
    "no end of the last section": MODULE.removesuffix("end step_packed :*/\n"),
    "no line feed at its end": MODULE.removesuffix("\n"),
    "an end of another name": replaced("//: end touch", "//: end tough"),
    "an end of the other kind": replaced("//: end touch", "end touch :*/"),
    Key("a space behind a frame", "a space after a frame"): replaced("//: begin touch", "//: begin touch "),
    "a section within a section": replaced("@compute", "//: begin inner\n//: end inner\n@compute"),
    "a name in capitals": MODULE.replace("in touch", "in Touch").replace("end touch", "end Touch"),
    "a line that begins as a frame of its kind": replaced("// touch:", "//: touch:"),
    "a line that begins as a frame in a block comment": replaced("// touch:", "/*: touch:"),
    "a line that begins as a frame after 300 others": replaced(
        "//: end touch", "//\n" * 300 + "//: touch\n//: end touch"
    ),
    "a section twice": MODULE + section("touch", "", portable=False),
}


@invalid("LLQ-WGSL-2", cases=UNFRAMED)
def module_framed_with(module: str) -> Package:
    """The module has {}, and MUST be a sequence of framed sections."""
    return control_module(module)


MARKS = {
    "a block comment": ("touch_target[id.x] =", "touch_target[id.x] = /* next */"),
    "the beginning of a block comment in a line comment": ("// touch", "// /* touch"),
    "the end of a block comment in a line comment": ("// The same", "// */ The same"),
}


@invalid("LLQ-WGSL-3", cases=MARKS)
def section_contains(change: tuple[str, str]) -> Package:
    """A section contains {}, which would end or open the comment around other sections."""
    return control_module(replaced(*change))


ENTRY_POINTS = {
    "a workgroup of 257": "@compute @workgroup_size(257)\nfn touch(",
    "a workgroup of 16 x 16 x 2": "@compute @workgroup_size(16, 16, 2)\nfn touch(",
    "a workgroup of no invocations": "@compute @workgroup_size(0)\nfn touch(",
    "a workgroup deeper than 64": "@compute @workgroup_size(1, 1, 65)\nfn touch(",
    "a size that is a constant": "const SIZE = 64;\n@compute @workgroup_size(SIZE)\nfn touch(",
    "a size with a suffix": "@compute @workgroup_size(64u)\nfn touch(",
    "its attributes exchanged": "@workgroup_size(64) @compute\nfn touch(",
    "no workgroup size": "@compute\nfn touch(",
    "a comma after its only size": "@compute @workgroup_size(64,)\nfn touch(",
    "a comma after its last size": "@compute @workgroup_size(8, 8, 1,)\nfn touch(",
    "a size with a leading zero": "@compute @workgroup_size(064)\nfn touch(",
    "a size of hexadecimal digits": "@compute @workgroup_size(0x40)\nfn touch(",
    "a space after the @": "@ compute @workgroup_size(64)\nfn touch(",
    "a line feed after the @": "@\ncompute @workgroup_size(64)\nfn touch(",
    "a space before the parenthesis of its sizes": "@compute @workgroup_size (64)\nfn touch(",
    "no space after compute": "@compute@workgroup_size(64)\nfn touch(",
    "an attribute after its sizes": "@compute @workgroup_size(64) @must_use\nfn touch(",
    "a name that begins with an underscore": "@compute @workgroup_size(64)\nfn _touch(",
}


@invalid("LLQ-WGSL-4", cases=ENTRY_POINTS)
def entry_point_with(text: str) -> Package:
    """An entry point has {}."""
    return control_module(replaced("@compute @workgroup_size(64)\nfn touch(", text))


@invalid("LLQ-WGSL-4")
def last_of_300_entry_points_without_size() -> Package:
    """The last of 300 entry points of a section has no workgroup size: each entry point MUST have one."""
    last = "@compute fn last() {\n}\n"
    return control_module(replaced("struct Touch", f"{entry_points(299)}{last}\nstruct Touch"))


STAGES = {"vertices": "@vertex fn", "vertices, after a space": "@ vertex fn"}


@invalid("LLQ-WGSL-4", cases=STAGES)
def entry_point_of(beginning: str) -> Package:
    """A section has an entry point for {}."""
    return control_module(replaced("struct Touch", f"{beginning} other() {{\n}}\n\nstruct Touch"))


@invalid("LLQ-PROG-9", "LLQ-WGSL-4")
def longer_word_than_compute() -> Package:
    """The attribute of an entry point is the longer word @computed: the pipeline has no entry point."""
    return control_module(replaced("@compute @workgroup_size", "@computed @workgroup_size"))


@invalid("LLQ-WGSL-4")
def entry_point_of_a_fragment() -> Package:
    """A section has an entry point for fragments."""
    return control_module(replaced("struct Touch", "@fragment fn paint() {\n}\n\nstruct Touch"))


@invalid("LLQ-WGSL-4")
def module_alone_with_a_fault() -> Package:
    """A module without a program has an entry point without a workgroup size."""
    module = section("alone", "@compute fn main() {\n}\n")
    return with_tokenizer(model_package(tiny())).attach("module", "vector.wgsl", module.encode())
