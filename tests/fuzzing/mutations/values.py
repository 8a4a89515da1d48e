"""Values that readers may take differently: numbers at limits and in odd spellings, strings, containers."""

import json
from functools import cache
from random import Random

from tests.fuzzing.json_tree import Raw, Tree
from tests.support.repository import ROOT

SPELLINGS = [
    *("-0", "0", "1", "-1", "2", "0.0", "-0.0", "1.0", "1e2", "1E2", "1e+2", "1e-2", "0e0", "1.5", "100e-2"),
    *(
        "1e400",
        "-1e400",
        "1e-400",
        "5e-324",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e21",
        "1e20",
    ),
    *(
        "123456789012345678901",
        "9007199254740991",
        "9007199254740992",
        "-9007199254740991",
        "-9007199254740992",
    ),
    *("9007199254740993.0", "18446744073709551616", "4294967040", "4294967041", "4294967295", "4294967296"),
    *("2147483647", "2147483648", "65535", "65536", "99998", "99999", "1024", "1025", "0.1", "1e-7", "1e-6"),
    *(
        "0.000001",
        "0.0000001",
        "1e-12",
        "9e-13",
        "1e-13",
        "1000",
        "1000.5",
        "1000.0000000000001",
        "512",
        "511",
    ),
    *("00", "01", "-", "+1", ".5", "1.", "1e", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "1" * 400),
    *("1" * 401, "-" + "9" * 309, "0." + "3" * 40, "1e99999999999", "3.4028234663852886e38"),
    *(
        "3.4028234663852887e+38",
        "3.4028234663852886e+38",
        "-3.4028234663852886e+38",
        "3.40282346638528865e+38",
    ),
]
TEXTS = [
    *(
        "",
        "a",
        "A",
        "0",
        "1.0",
        "1.00",
        "2.0",
        "-",
        "_",
        ".",
        "a.b",
        "a..b",
        "a-b",
        "a b",
        "é",
        "a\n",
        "\n",
        "a\0",
    ),
    *(
        "\u2028",
        "\U0001f600",
        "\ufeff",
        "\u007f",
        "\u00df",
        "\u0130",
        "K",
        "__proto__",
        "constructor",
        "toString",
    ),
    *(
        "hasOwnProperty",
        "length",
        "true",
        "null",
        "f16",
        "f32",
        "int4_affine",
        "int4_symmetric",
        "silu",
        "gelu",
    ),
    *("read", "read_write", "halves", "interleaved", "LLQ_int8", "AB_c", "A_b", "ABCDEFGH_x", "ABCDEFGHI_x"),
    *(
        "embedding",
        "norm",
        "lm_head",
        "rope.inv_freq",
        "state",
        "logits",
        "tokens",
        "zero",
        "rope",
        "portable",
    ),
    *(
        "tokenizer.json",
        "program.json",
        "metadata.json",
        "vector.wgsl",
        "vector-00001-of-00001.llq",
        "../x",
        "x/y",
    ),
    *(
        "enable f16;",
        "requires a, b;",
        "enable  f16;",
        "enable f16; ",
        "a" * 64,
        "a" * 65,
        "a" * 128,
        "a" * 129,
    ),
    *("a" * 160, "a" * 161, "a" * 200, "a" * 201, "0" * 64, "0" * 63, "F" * 64, "1", "10", "9", "-1"),
]
RAW_TEXTS = [
    *(
        r'"\u0061"',
        r'"\ud800"',
        r'"\udc00"',
        r'"\ud83d\ude00"',
        r'"\ude00\ud83d"',
        r'"\uD83D\uDE00"',
        r'"\/"',
    ),
    *(
        r'"\b\f\n\r\t"',
        r'"\u0008"',
        r'"\u000A"',
        r'"\u000b"',
        r'"\u001f"',
        r'"\u001F"',
        r'"\u00e9"',
        r'"\u2028"',
    ),
    *(
        r'"\""',
        r'"\\"',
        r'"\u0022"',
        r'"\u005c"',
        r'"\x41"',
        r'"\u12"',
        r'"\u 041"',
        r'"\U0041"',
        '"\t"',
        '"\x7f"',
    ),
    *(r'"\u0000"', '"\x00"', '"', r'"\"', "'a'", r'"\ud800a"', r'"\ud800\u0061"', r'"\ud800\ud800\udc00"'),
]
CONTAINERS = [
    "{}",
    "[]",
    '{"a":1}',
    "[1]",
    "[[]]",
    "[{}]",
    "[null]",
    '{"":0}',
    '{"a":{"b":[1,2,{"c":null}]}}',
]
WORDS = [None, True, False]


@cache
def limits(schema: str) -> list[int]:
    """Return the integers near the limits that a schema states."""
    found: set[int] = set()

    def collect(node: Tree) -> None:
        if isinstance(node, dict):
            for name, item in node.items():
                if name.startswith(("min", "max", "multiple")) and isinstance(item, int):
                    found.update({item - 1, item, item + 1})
                collect(item)
        elif isinstance(node, list):
            for item in node:
                collect(item)

    collect(json.loads((ROOT / "spec" / "schema" / f"{schema}.schema.json").read_text(encoding="utf-8")))
    return sorted(found)


@cache
def names(schema: str) -> list[str]:
    """Return the names of members that a schema knows."""
    found: set[str] = set()

    def collect(node: Tree) -> None:
        if isinstance(node, dict):
            properties = node.get("properties", {})
            found.update(properties if isinstance(properties, dict) else ())
            for item in node.values():
                collect(item)
        elif isinstance(node, list):
            for item in node:
                collect(item)

    collect(json.loads((ROOT / "spec" / "schema" / f"{schema}.schema.json").read_text(encoding="utf-8")))
    return sorted(found)


def number(rng: Random, schema: str) -> Raw:
    """Return a number, in some spelling."""
    if rng.random() < 0.5:
        return Raw(rng.choice(SPELLINGS))
    value = rng.choice(limits(schema))
    spelling = rng.random()
    if spelling < 0.9:
        return Raw(str(value))
    return Raw(f"{value}.0" if spelling < 0.95 else f"{value}e0")


def text(rng: Random) -> str:
    """Return a string, plain or in some spelling."""
    return Raw(rng.choice(RAW_TEXTS)) if rng.random() < 0.25 else rng.choice(TEXTS)


def value(rng: Random, schema: str) -> Tree:
    """Return a value of any type."""
    choice = rng.random()
    if choice < 0.45:
        return number(rng, schema)
    if choice < 0.7:
        return text(rng)
    return Raw(rng.choice(CONTAINERS)) if choice < 0.85 else rng.choice(WORDS)
