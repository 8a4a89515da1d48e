"""Invalid: names of files and tensors that no reader may use, and those that do not belong."""

from __future__ import annotations

from vectors.cases.control import control_files, control_raw, control_shards
from vectors.kit.package import Package
from vectors.kit.registry import Key, invalid

SHARD = "vector-00001-of-00001.llq"

PATHS = {
    "empty": "",
    "a parent": "../" + SHARD,
    "the parent alone": "..",
    "a dot": ".",
    "absolute": "/etc/" + SHARD,
    "in a directory": "weights/" + SHARD,
    "relative with a dot": "./" + SHARD,
    "a backslash": "weights\\" + SHARD,
    "a drive": "C:" + SHARD,
    "a UNC path": "\\\\server\\share\\" + SHARD,
    "a URL": "https://example.org/" + SHARD,
    "a scheme-relative URL": "//example.org/" + SHARD,
    "percent-encoded": "%2e%2e%2f" + SHARD,
    "with a query": SHARD + "?x",
    "hidden": "." + SHARD,
    "an option": "-rf.llq",
    "a home": "~root.llq",
    "with a newline": SHARD + "\n",
    "with a NUL": SHARD + "\0.txt",
    "with an escape sequence": "\u001b[2J" + SHARD,
    "with a space": "vector 00001-of-00001.llq",
    "accented": "v\u00e9ctor-00001-of-00001.llq",
    "129 characters": "v" * 125 + ".llq",
    "a stream": SHARD + "::$DATA",
    "__proto__": "__proto__",
}


@invalid("LLQ-PKG-3", cases=PATHS)
def shard_named(name: str) -> Package:
    """A shard has a bad file name ({}): it MUST be 1 to 128 letters, digits, dots, underscores or hyphens."""
    return control_raw().set("/shards/0/file", name)


@invalid("LLQ-PKG-3", cases={"tokenizer": "tokenizer", "module": "module", "program": "program"})
def outside(member: str) -> Package:
    """The file of the {} is ../../etc/passwd."""
    return control_files().set(f"/{member}/file", "../../etc/passwd")


NAMES = {
    "empty": "",
    Key("with a newline behind", "with a newline at the end"): "weight\n",
    "with a newline before": "\nweight",
    "with a NUL": "wei\0ght",
    "with an escape sequence": "weight\u001b[31m",
    "with a right-to-left override": "weight\u202e",
    "__proto__": "__proto__",
    "beginning with an underscore": "_weight",
    "beginning with a dot": ".weight",
    "ending in a dot": "weight.",
    "with two dots": "layers..weight",
    "a parent": "..",
    "with a slash": "layers/weight",
    "with a backslash": "layers\\weight",
    "with a space": "the weight",
    "with a hyphen": "the-weight",
    Key("with an underscore behind a dot", "with an underscore after a dot"): "layers._weight",
    "accented": "w\u00e9ight",
    "with a Greek letter": "weight\u03b1",
    "with a full-width digit": "weight\uff11",
    "129 characters": "w" * 129,
    "10000 characters": "w" * 10_000,
}


@invalid("LLQ-TENSOR-1", cases=NAMES)
def tensor_named(name: str) -> Package:
    """A tensor has a bad name ({}): it MUST be segments of letters, digits and underscores between dots."""
    return control_raw().set("/tensors/1/name", name)


SCHEME = {
    "another stem": "other-00001-of-00001.llq",
    "the stem in capitals": "Vector-00001-of-00001.llq",
    "another extension": "vector-00001-of-00001.bin",
    "the extension in capitals": "vector-00001-of-00001.LLQ",
    "numbered from 0": "vector-00000-of-00001.llq",
    "another count": "vector-00001-of-00002.llq",
    "four digits": "vector-0001-of-0001.llq",
    "six digits": "vector-000001-of-000001.llq",
    "without numbers": "vector.llq",
    "the name metadata.json": "metadata.json",
}


@invalid("LLQ-PKG-4", cases=SCHEME)
def shard_scheme(name: str) -> Package:
    """The name of a shard breaks the scheme ({}): shard i of N MUST be named <stem>-<i+1>-of-<N>.llq."""
    package = control_raw().set("/shards/0/file", name)
    package.names[0] = name
    return package


@invalid("LLQ-PKG-4")
def shards_listed_in_reverse() -> Package:
    """Entry 0 of shards names the second shard, and entry 1 the first."""
    package = control_shards()
    first, second = package.get("/shards/0/file"), package.get("/shards/1/file")
    return package.set("/shards/0/file", second).set("/shards/1/file", first)


@invalid("LLQ-PKG-4")
def shard_listed_twice() -> Package:
    """Both entries of shards name the first shard."""
    package = control_shards()
    return package.set("/shards/1/file", package.get("/shards/0/file"))


@invalid("LLQ-PKG-4")
def stem_of_another_package() -> Package:
    """The stem is `other`, but the shard is named after `vector`."""
    return control_raw().set("/stem", "other")


def renamed(member: str, name: str) -> Package:
    """Return the control, one of its files renamed, in the metadata as in the directory."""
    package = control_files()
    package.extra_files[name] = package.extra_files.pop(package.get(f"/{member}/file"))
    return package.set(f"/{member}/file", name)


@invalid(
    "LLQ-PKG-4", cases={"kernels.wgsl": "kernels.wgsl", "vector.WGSL": "vector.WGSL", "vector": "vector"}
)
def module_named(name: str) -> Package:
    """The module is named {}, and MUST be named <stem>.wgsl."""
    return renamed("module", name)


@invalid("LLQ-PKG-5", cases={"vocab.json": "vocab.json", "Tokenizer.json": "Tokenizer.json"})
def tokenizer_named(name: str) -> Package:
    """The tokenizer is named {}, and MUST be named tokenizer.json."""
    return renamed("tokenizer", name)


@invalid("LLQ-PKG-5", cases={"vector.json": "vector.json", "program": "program"})
def program_named(name: str) -> Package:
    """The program is named {}, and MUST be named program.json."""
    return renamed("program", name)


@invalid("LLQ-PKG-5")
def program_without_module() -> Package:
    """A package with a program MUST have a module."""
    package = control_files().remove("/module")
    del package.extra_files["vector.wgsl"]
    return package


@invalid("LLQ-PKG-5")
def tokenizer_is_the_program() -> Package:
    """The tokenizer and the program name the same file, program.json."""
    package = control_files()
    del package.extra_files["tokenizer.json"]
    return package.set("/tokenizer", {**package.get("/tokenizer"), **package.get("/program")})
