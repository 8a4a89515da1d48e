"""Mutations of the WGSL module: frames, entry points, attributes, comments, lines, bytes."""

import re
from random import Random

_LINES = [
    *(
        "//: begin extra",
        "//: end extra",
        "/*: begin extra",
        "end extra :*/",
        "//: begin touch",
        "//: end touch",
    ),
    *(
        "//:",
        "/*:",
        "//: begin",
        "//: begin Extra",
        "//: begin 1a",
        "//: begin a ",
        "//:  begin a",
        " //: begin a",
    ),
    *(
        "",
        " ",
        "// text",
        "/* text */",
        "/*",
        "*/",
        "// /*",
        "// */",
        "//",
        "///",
        "/",
        "//: end",
        " end extra :*/",
    ),
    *(
        "@compute @workgroup_size(64) fn more() {}",
        "@compute @workgroup_size(64)",
        "fn more() {}",
        "@compute",
        "@vertex",
    ),
    *(
        "@fragment fn f() {}",
        "@ compute",
        "@\tcompute",
        "@compute_",
        "@computex",
        "@vertex1",
        "@ fragment",
        "@// c",
    ),
    *(
        "@compute @workgroup_size(1, 2, 3) fn x(",
        "@compute @workgroup_size(256, 1, 65)\nfn y(",
        "enable f16;",
    ),
    *(
        "@compute // c\n@workgroup_size(64) // d\nfn commented() {}",
        "@compute @workgroup_size(8, 8, 4,) fn z() {}",
    ),
    *(
        "@workgroup_size(64) @compute fn w() {}",
        "@compute @workgroup_size(64)fn tight(){}",
        "var<private> a: u32;",
    ),
    *(
        "@compute @workgroup_size(64) fn _under() {}",
        "@compute @workgroup_size(64) fn touch() {}",
        "requires a;",
    ),
]
_SIZES = [
    *(
        "64",
        "064",
        "0064",
        "0",
        "00",
        "000",
        "1",
        "256",
        "257",
        "999",
        "1000",
        " 64 ",
        "\n64\n",
        "64u",
        "0x40",
        "64,",
    ),
    *(
        "64, 1",
        "64,1,1",
        "1, 1, 64",
        "1, 1, 65",
        "16, 16",
        "16, 16, 2",
        "1,,1",
        ",64",
        "64,1,1,1",
        "1, 1, 064",
        "-1",
    ),
    *(
        "8, 8, 4",
        "8 , 8 , 4",
        "size",
        "64.0",
        "6 4",
        "64/1",
        "64 // c\n",
        "256, 1, 1",
        "256, 1, 2",
        "2,128",
        "3,86",
    ),
]
_PIECES = [
    *(
        b" ",
        b"\n",
        b"\t",
        b"\r",
        b"\r\n",
        b"\0",
        b"\x7f",
        b"\x80",
        b"\xc3\xa9",
        b"~",
        b"/*",
        b"*/",
        b"//",
        b"//:",
        b"@",
    ),
    *(
        b"@compute",
        b"@ compute",
        b"(",
        b")",
        b",",
        b"0",
        b"1",
        b"_",
        b"a",
        b"\x0b",
        b"\x0c",
        b"\n\n",
        b":*/",
        b"/*:",
    ),
]
_SIZE = re.compile(r"(?<=@workgroup_size\()[^)]*(?=\))")
_STAGE = re.compile(r"@compute")
_NAME = re.compile(r"(?<=\bfn)\s+\w+\s*(?=\()")


def mutate(data: bytes, rng: Random) -> bytes:
    """Return a changed module."""
    if rng.random() < 0.2:
        return _changed_bytes(data, rng)
    text = data.decode("latin-1")
    change = rng.choice([_size, _size, _stage, _name, _line, _line, _lines, _between, _frame])
    return change(text, rng).encode("latin-1")


def _changed_bytes(data: bytes, rng: Random) -> bytes:
    at = rng.randint(0, len(data))
    change = rng.choice(["insert", "insert", "cut", "byte", "end"])
    if change == "insert":
        return data[:at] + rng.choice(_PIECES) + data[at:]
    if change == "cut":
        return data[:at]
    if change == "end":
        return data + rng.choice(_PIECES) if rng.random() < 0.5 else data[:-1]
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _at_one(pattern: re.Pattern[str], text: str, rng: Random, new: str) -> str:
    """Put a text in the place of one match."""
    matches = list(pattern.finditer(text))
    if not matches:
        return text
    match = rng.choice(matches)
    return text[: match.start()] + new + text[match.end() :]


def _size(text: str, rng: Random) -> str:
    return _at_one(_SIZE, text, rng, rng.choice(_SIZES))


def _stage(text: str, rng: Random) -> str:
    stages = [
        "@compute",
        "@ compute",
        "@\ncompute",
        "@vertex",
        "@fragment",
        "@Compute",
        "@computes",
        "@@compute",
        "compute",
    ]
    return _at_one(_STAGE, text, rng, rng.choice(stages))


def _name(text: str, rng: Random) -> str:
    names = ["touch", "read", "a", "_a", "a_", "A9", "9a", "", "a" * 64, "a" * 65, "constructor", "__proto__"]
    gaps = ["", " ", "\n", "  ", " \n ", " // c\n"]
    return _at_one(
        _NAME, text, rng, rng.choice([" ", rng.choice(gaps)]) + rng.choice(names) + rng.choice(gaps)
    )


def _line(text: str, rng: Random) -> str:
    lines = text.split("\n")
    lines.insert(rng.randint(0, len(lines)), rng.choice(_LINES))
    return "\n".join(lines)


def _lines(text: str, rng: Random) -> str:
    """Drop, repeat or exchange lines."""
    lines = text.split("\n")
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.choice(["drop", "repeat", "exchange", "run"])
    if change == "drop":
        del lines[first]
    elif change == "repeat":
        lines.insert(second, lines[first])
    elif change == "exchange":
        lines[first], lines[second] = lines[second], lines[first]
    else:
        low, high = sorted((first, second))
        lines[high:high] = lines[low:high]
    return "\n".join(lines)


def _between(text: str, rng: Random) -> str:
    """Put something at the edge of a token of an entry point."""
    edges = [match.start() for match in re.finditer(r"@|\(|\)|,|\bfn\b|\bcompute\b", text)]
    if not edges:
        return text
    at = rng.choice(edges) + rng.randint(0, 1)
    return text[:at] + rng.choice([" ", "\n", "", "//\n", "// c\n", "/", "  "]) + text[at:]


def _frame(text: str, rng: Random) -> str:
    """Change one line of a frame."""
    lines = text.split("\n")
    frames = [at for at, line in enumerate(lines) if line.startswith(("//:", "/*:")) or line.endswith(":*/")]
    if not frames:
        return text
    at = rng.choice(frames)
    line = lines[at]
    lines[at] = rng.choice(
        [
            *(line + " ", " " + line, line.upper(), line[:-1], line + "x", line.replace(":", "", 1)),
            *(
                line.replace("//:", "/*:"),
                line.replace("/*:", "//:"),
                line.replace("  ", " "),
                line.replace(" ", "  ", 1),
            ),
            *(
                re.sub(r"[a-z]\w*$", rng.choice(["a", "z9_", "A", "9", "_a", "a" * 64, "a" * 65]), line),
                line + "\n" + line,
            ),
        ]
    )
    return "\n".join(lines)
