"""Mutations of the directory: missing, extra and exchanged files, other kinds, names in other cases."""

from random import Random

from tests.fuzzing.package import METADATA, Entry, Kind, Package

_EXTRA = [
    *(
        "README.md",
        "extra.llq",
        "extra.LLQ",
        ".llq",
        "a.Llq",
        "a.llq.bak",
        "llq",
        "a.llq ",
        "vector-00002-of-00002.llq",
    ),
    *(
        "VECTOR-00001-OF-00001.LLQ",
        "tokenizer.json",
        "program.json",
        "vector.wgsl",
        "é.llq",
        "\u212a.llq",
        "Metadata.json",
    ),
]


def mutate(package: Package, rng: Random) -> None:
    """Change the entries of a package's directory, in place."""
    names = [name for name in package if name != METADATA or rng.random() < 0.1]
    if not names or rng.random() < 0.35:
        contents: list[Entry] = [b"", b"x", b"\0" * 512, *Kind]
        package[rng.choice(_EXTRA)] = rng.choice(contents)
        return
    name = rng.choice(names)
    change = rng.choice(["remove", "kind", "rename", "exchange", "empty", "copy"])
    if change == "remove":
        del package[name]
    elif change == "kind":
        package[name] = rng.choice(list(Kind))
    elif change == "rename":
        package[rng.choice([name.swapcase(), name + "~", name.replace("0", "1", 1), "x" + name])] = (
            package.pop(name)
        )
    elif change == "exchange":
        other = rng.choice(names)
        package[name], package[other] = package[other], package[name]
    elif change == "empty":
        package[name] = b""
    else:
        package[rng.choice(_EXTRA)] = package[name]
