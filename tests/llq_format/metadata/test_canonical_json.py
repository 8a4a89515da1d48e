"""The strict JSON parser and the RFC 8785 form."""

import json
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llq_format.metadata.canonical_json import canonical, parse
from tests.support.invented_packages import JSON_VALUES


def rules(data: bytes) -> list[str]:
    return [finding.rule for finding in parse(data)[1]]


def value_of(data: bytes) -> Any:
    value, findings = parse(data)
    assert not findings
    return value


# ---- The canonical form ----

# RFC 8785, appendix B: bits of a binary64, and how they are written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_lists_them(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical(value) == text.encode()


@pytest.mark.parametrize(
    ("value", "text"), [(5e5, "500000"), (1e-5, "0.00001"), (1e-7, "1e-7"), (1.0, "1"), (64, "64")]
)
def test_numbers_are_written_as_the_spec_says(value: float, text: str) -> None:
    assert canonical(value) == text.encode()


def test_members_are_sorted_by_utf16_code_units() -> None:
    # The example of RFC 8785, section 3.2.3: by code points, U+1F600 would come after U+FB33.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\u00f6"]
    ordered = ["\r", "1", "\x80", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
    assert list(value_of(canonical(dict.fromkeys(names, 0)))) == ordered


def test_strings_are_escaped_only_where_json_demands_it() -> None:
    text = '\u20ac$\x0f\nA\'B"\\\\"/\x7f\b\t\f\r'
    assert canonical(text) == '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/\x7f\\b\\t\\f\\r"'.encode()


def test_there_is_no_white_space() -> None:
    assert canonical({"b": [1, {"c": None}], "a": True}) == b'{"a":true,"b":[1,{"c":null}]}'


@given(JSON_VALUES)
def test_what_is_written_is_read_back_and_written_alike(value: Any) -> None:
    data = canonical([value])
    assert value_of(data) == [value]
    assert canonical(value_of(data)) == data


# ---- The parser ----


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"{}", {}),
        (b'{"a":[1,-2,0.5,1e3,true,false,null,"x"]}', {"a": [1, -2, 0.5, 1000.0, True, False, None, "x"]}),
        (b'"\\u00e9\\ud83d\\ude00\\/"', "\u00e9\U0001f600/"),
        ('"\u00e9\U0001f600"'.encode(), "\u00e9\U0001f600"),
        (b"9007199254740991", 2**53 - 1),
        (b"-9007199254740991", -(2**53) + 1),
        (b"1.7976931348623157e308", 1.7976931348623157e308),
        (b"1e-400", 0.0),
        (b'{"\\u0061":1,"b":1}', {"a": 1, "b": 1}),
        (b"[" * 32 + b"]" * 32, eval("[" * 32 + "]" * 32)),  # noqa: S307
        (b'"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["', "[" * 37),
        (b'["\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]', ['"' + "[" * 37]),
        (b'"\\\\"', "\\"),
        (b'"\x7f\xc2\x85"', "\x7f\x85"),
    ],
)
def test_json_is_read(text: bytes, value: Any) -> None:
    assert value_of(text) == value


def test_integers_and_numbers_are_distinguished_by_how_they_are_written() -> None:
    assert [type(item) for item in value_of(b"[1,1.0,1e0,-0,-0.0]")] == [int, float, float, int, float]


NOT_UTF8 = {
    "continuation byte alone": b'"\x80"',
    "overlong slash": b'"\xc0\xaf"',
    "surrogate in three bytes": b'"\xed\xa0\x80"',
    "beyond U+10FFFF": b'"\xf4\x90\x80\x80"',
    "cut short": b'"\xe2\x82',
    "Latin-1": b'"\xe9"',
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
}


@pytest.mark.parametrize("data", NOT_UTF8.values(), ids=NOT_UTF8)
def test_bytes_that_are_not_utf8_without_a_mark_break_json_1(data: bytes) -> None:
    assert rules(data) == ["LLQ-JSON-1"]


NOT_JSON = [
    *(b"", b" ", b"{", b"}", b"[1,]", b'{"a":1,}', b"{'a':1}", b"{a:1}", b'{"a"}', b'{"a":}', b"[1 2]"),
    *(
        b"nul",
        b"True",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"-NaN",
        b"[NaN]",
        b'{"a":-Infinity}',
        b"undefined",
    ),
    *(b"01", b"-01", b"+1", b"1.", b".5", b"-", b"1e", b"1e+", b"0x10", b"1_000", b"- 1", b"\xd9\xa1"),
    *(b'"\\x41"', b'"\\u00g0"', b'"\\u12"', b'"\\', b'"a', b'"\n"', b'"\x00"', b'"\x1f"', b"\\u0061"),
    *(b"{}{}", b"{}\0", b"{}\n", b" {}", b"{}//", b"/**/{}", b"{} ", b"\t{}", b"[]]", b"\x00", b"{}\x1a"),
    *(b"]" * 100 + b"[" * 100, b"[" * 32, b'"' * 3),
]


@pytest.mark.parametrize("data", NOT_JSON)
def test_text_that_is_not_exactly_one_json_text_breaks_json_2(data: bytes) -> None:
    assert rules(data) == ["LLQ-JSON-2"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'[{"x":{"":0,"":0}}]',
        b'{"a\\/b":1,"a/b":2}',
        b'{"__proto__":1,"__proto__":1}',
        b'{"\\ud83d\\ude00":1,"\xf0\x9f\x98\x80":2}',
    ],
)
def test_two_members_of_one_name_break_json_3(data: bytes) -> None:
    assert rules(data) == ["LLQ-JSON-3"]


def test_names_that_only_look_alike_are_two_names() -> None:
    assert rules('{"a":1,"A":1,"\u00e9":1,"e\u0301":1}'.encode()) == []


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("levels", [33, 100_000])
def test_the_33rd_level_breaks_json_4_whatever_else_is_wrong(opening: bytes, levels: int) -> None:
    assert rules(opening * levels) == ["LLQ-JSON-4"]
    (finding,) = parse(opening * levels)[1]
    assert finding.where.offset == 32 * len(opening)


def test_levels_are_counted_where_they_are_open_not_in_all() -> None:
    assert rules(b"[" + b",".join([b"[" * 31 + b"]" * 31] * 50) + b"]") == []
    assert rules(b'["\xe2\x82\xac",' + b"[" * 32) == ["LLQ-JSON-4"]
    (finding,) = parse(b'["\xe2\x82\xac",' + b"[" * 32)[1]
    assert finding.where.offset == 7 + 31  # bytes, not characters


@pytest.mark.parametrize(
    "number",
    [
        b"9007199254740992",
        b"-9007199254740992",
        b"1" + b"0" * 399,
        b"1" + b"0" * 5000,
        b"-" + b"9" * 100_000,
        b"1e400",
        b"-1e400",
        b"1" + b"0" * 309 + b".0",
        b"1.0e999999999",
    ],
)
def test_a_number_above_binary64_or_an_integer_above_2_to_the_53_breaks_json_5(number: bytes) -> None:
    assert rules(b"[" + number + b"]") == ["LLQ-JSON-5"]


@pytest.mark.parametrize(
    "data", [b'"\\ud800"', b'"\\udc00\\ud800"', b'{"\\udfff":1}', b'[{"a":["\\ud83dx"]}]', b'"\\uDBFF"']
)
def test_a_lone_surrogate_breaks_json_6(data: bytes) -> None:
    assert rules(data) == ["LLQ-JSON-6"]


def test_several_errors_are_all_found_in_order_of_the_rules() -> None:
    data = b'{"a":"\\ud800","a":1e400,"b":12345678901234567890}\n'
    assert rules(data) == ["LLQ-JSON-2", "LLQ-JSON-3", "LLQ-JSON-5", "LLQ-JSON-5", "LLQ-JSON-6"]


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\u0dDn1-.eE+ ', max_size=60).map(str.encode))
@example(b'{"":0')
@example(b"\xef\xbb\xbf")
def test_any_bytes_are_read_or_refused_and_nothing_else_happens(data: bytes) -> None:
    value, findings = parse(data)
    assert all(finding.rule.startswith("LLQ-JSON-") for finding in findings)
    if not findings:
        assert json.loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":"' + b"x" * (1 << 20) + b'"}',
        b'{"a":"' + b"\\n" * (1 << 19) + b'"}',
        b'"' * (1 << 18),
        b'"' + b"\\" * (1 << 20),
    ],
    ids=["one long string", "escapes", "quotation marks", "backslashes"],
)
def test_memory_stays_within_a_few_times_the_text(data: bytes) -> None:
    tracemalloc.start()
    try:
        parse(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * len(data)
