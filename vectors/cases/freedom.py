"""Valid: metadata that decoding does not need."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vectors.cases.control import BIAS_TENSOR, control_model, control_raw
from vectors.kit.model import model_package, tiny, with_tokenizer
from vectors.kit.package import Package, Sealed, assemble
from vectors.kit.program import MODULE
from vectors.kit.registry import Key, valid

ACUTE_COMPOSED, ACUTE_DECOMPOSED = "\u00e9", "e\u0301"


def nested(levels: int) -> Any:
    """Return nested arrays of a given depth."""
    return [nested(levels - 1)] if levels > 1 else []


EXTRAS: dict[str, Any] = {
    "an empty object": {},
    "objects and arrays": {"b": {"c": [1, [2, {"d": None}]], "a": True}, "a": []},
    "letters of many scripts": {"Ελληνικά": "日本語", "emoji": "🦙", "rtl": "\u202eabc", "nul": "a\u0000b"},
    "both forms of an accented name": {ACUTE_COMPOSED: 1, ACUTE_DECOMPOSED: 2},
    Key("names that UTF-16 orders otherwise than UTF-8", "names that UTF-16 and UTF-8 sort differently"): {
        "\uff21": 1,
        "\U0001f999": 2,
        "\ue000": 3,
        "z": 4,
    },
    "control characters": {"text": '\b\t\n\f\r\u0000\u001f\u007f\u0080\u2028\u2029"\\/<>'},
    "names of JavaScript": {"__proto__": {"polluted": True}, "constructor": {"prototype": 1}, "toString": 0},
    "an empty name": {"": ""},
    "something like a digest": {"digest": "0" * 64, "text": '{"digest":"' + "f" * 64},
    "integers up to 2^53 - 1": {"numbers": [2**53 - 1, 1 - 2**53, 0, -1]},
    "numbers of every form": {
        "numbers": [
            1e-07,
            1e-06,
            0.1,
            1.5,
            -2.5,
            1e21,
            1.5e300,
            5e-324,
            1.7976931348623157e308,
            1 / 3,
            123456.75,
        ]
    },
    "an integral number written as a float in most languages": {"numbers": [1.0, -0.0, 500000.0]},
    "32 levels": {"deep": nested(30)},
    Key("brackets in strings, which are no levels", "brackets in strings, which do not count as levels"): {
        "[" * 50: "]" + "{" * 50,
        "quoted": '"' + "[" * 50 + "\\\\",
    },
}


@valid("LLQ-META-1", "LLQ-CANON-1", cases=EXTRAS)
def extras(value: dict[str, Any]) -> Package:
    """Extras holds {}: it may hold any JSON object, and readers MUST ignore it."""
    return assemble([BIAS_TENSOR], extras=value)


@valid("LLQ-META-1")
def extras_of_a_tensor() -> Package:
    """A tensor has extras."""
    return control_raw().set("/tensors/1/extras", {"version": 7, "rmse": 0.0125})


@valid("LLQ-EXT-3")
def unknown_extension_used() -> Package:
    """The package uses, but does not require, an unknown extension with data: a reader MUST accept it."""
    data = {"XX_sparsity": {"pattern": "2:4"}}
    return assemble([BIAS_TENSOR], extensions_used=["XX_sparsity"], extensions=data)


@valid("LLQ-EXT-3")
def unknown_extension_on_a_tensor() -> Package:
    """A tensor has data of an unknown extension: a reader MUST ignore the data."""
    package = assemble([BIAS_TENSOR], extensions_used=["XX_sparsity", "ACME9_calibration"])
    return package.set("/tensors/0/extensions", {"ACME9_calibration": {"dtype": "f16", "scale": 2}})


@valid("LLQ-EXT-3")
def extensions_without_data() -> Package:
    """64 extensions are used, none has data, and none is required."""
    used = [f"XX_{index}" for index in range(63)] + ["ABCDEFGH_" + "z" * 64]
    return assemble([BIAS_TENSOR], extensions_used=used, extensions_required=[], extensions={})


NAMES = {
    "128 characters": ["a" * 128],
    "dots, digits and underscores": ["0", "9.9", "A_.b__1", "layers.0.x"],
    "letters of both cases": ["A", "B", "Z.z", "a0"],
    "every order of ASCII": ["a.b", "a0", "aB", "a_", "ac"],
    "numbers in the order of their bytes": ["t.1", "t.10", "t.2"],
    "words of JavaScript": ["constructor", "hasOwnProperty", "length", "toString"],
    "the names of model tensors": ["embedding", "norm", "rope.inv_freq"],
}


@valid("LLQ-TENSOR-1", "LLQ-TENSOR-2", "LLQ-CANON-3", cases=NAMES)
def tensor_names(names: list[str]) -> Package:
    """Tensors have legal names of many kinds ({})."""
    return assemble([replace(BIAS_TENSOR, name=name) for name in names])


STEMS = {
    "64 characters": "s" * 64,
    "one character": "7",
    "all kinds of characters": "A.b-C_0..-_",
    "metadata": "metadata",
}


@valid("LLQ-PKG-3", "LLQ-PKG-4", cases=STEMS)
def stem(value: str) -> Package:
    """The stem has an unusual but legal form ({})."""
    return assemble([BIAS_TENSOR], stem=value)


@valid("LLQ-PKG-9")
def other_files() -> Sealed:
    """Other files are next to those of the package; none of their names ends in .llq."""
    sealed = control_raw().seal()
    for name in (
        "LICENSE",
        "README.md",
        "vector.llq.txt",
        "llq",
        "vector.wgsl",
        "tokenizer.json",
        "program.json",
    ):
        sealed.files[name] = b"not part of the package\n"
    return sealed


@valid("LLQ-MODEL-5")
def tokenizer_of_weights() -> Package:
    """A weights package has a tokenizer: no vocab_size limits its token ids."""
    template = (
        "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m[\"content\"] }} \u2014 \U0001f999{% endfor %}\t"
    )
    tokens = {"bos_token_id": 16_777_215, "eos_token_ids": [16_777_215, 0], "chat_template": template}
    return with_tokenizer(control_raw(), **tokens)


@valid("LLQ-MODEL-5")
def tokenizer_without_tokens() -> Package:
    """A tokenizer without bos_token_id, eos_token_ids and chat_template."""
    return with_tokenizer(control_raw(), bos_token_id=None, eos_token_ids=[])


@valid("LLQ-MODEL-5")
def last_token() -> Package:
    """Token ids are vocab_size - 1, the maximum allowed."""
    return with_tokenizer(model_package(tiny()), bos_token_id=4, eos_token_ids=[4, 0])


@valid("LLQ-PKG-5")
def module_without_program() -> Package:
    """A package with a module needs no program."""
    return control_raw().attach("module", "vector.wgsl", MODULE.encode())


@valid("LLQ-PKG-10", warnings=("LLQ-PKG-10",))
def model_without_tokenizer() -> Package:
    """A package with a model SHOULD have a tokenizer: this one has none, and is valid."""
    return control_model().remove("/tokenizer")
