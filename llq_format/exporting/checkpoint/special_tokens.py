"""Special and added tokens of a Hugging Face directory, read from all files that state them.

The files overlap and contradict each other. As in transformers 5, `added_tokens_decoder` of
tokenizer_config.json replaces special_tokens_map.json and added_tokens.json; without it, the former replaces
the names of tokenizer_config.json.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from llq_format.exporting.checkpoint.keys import Keys, read_json

STANDARD = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,57}_token")
"""Names that `special_tokens` of metadata.json can have."""

_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
_LARGEST_ID = 2**24


@dataclass(frozen=True)
class SpecialTokens:
    """What the files next to tokenizer.json state about tokens.

    `named` has the tokens by name, such as bos_token, `extra` further special tokens without names, and
    `added` the tokens that a text may contain, by the ids that the files state. `added_file` is the file.
    """

    named: dict[str, AddedToken]
    extra: list[AddedToken]
    added: dict[int, AddedToken]
    added_file: str

    def texts(self) -> dict[str, str]:
        """Return the text of each named token, in the order of names."""
        return {name: self.named[name].content for name in sorted(self.named)}


def read(directory: Path, settings: Keys) -> SpecialTokens:
    """Return the tokens of tokenizer_config.json, whose values are `settings`, and of the files next to it.

    Raises CheckpointError.
    """
    decoder = settings.section("added_tokens_decoder")
    named = dict(_named(settings))
    extra = list(_extra(settings))
    if decoder is not None:
        added = {_id(decoder, key): _token(decoder, key) for key in decoder.values}
        return SpecialTokens(named, extra, added, settings.file)
    overlay = optional(directory / "special_tokens_map.json")
    named |= dict(_named(overlay))
    extra = list(_extra(overlay)) or extra
    stated = optional(directory / "added_tokens.json")
    special = {token.content for token in (*named.values(), *extra)}
    added = {
        stated.integer(text, 0, _LARGEST_ID): AddedToken(
            text, special=text in special, normalized=text not in special
        )
        for text in stated.values
    }
    return SpecialTokens(named, extra, added, stated.file)


def optional(path: Path) -> Keys:
    """Return the JSON object of a file, empty if there is no such file; raises CheckpointError."""
    return read_json(path) if path.is_file() else Keys({}, path.name)


def _named(keys: Keys) -> Iterator[tuple[str, AddedToken]]:
    """Yield each token that has a name of its own or in `extra_special_tokens`."""
    groups = [keys]
    if isinstance(keys.get("extra_special_tokens"), dict):
        groups.append(keys.section("extra_special_tokens") or keys)
    for group in groups:
        for name, value in group.values.items():
            stated = isinstance(value, str | dict) or (name in STANDARD and value is not None)
            if stated and _NAME.fullmatch(name):
                yield name, _token(group, name)


def _extra(keys: Keys) -> Iterator[AddedToken]:
    """Yield the special tokens that have no name; `additional_special_tokens` is the older key."""
    for key in ("extra_special_tokens", "additional_special_tokens"):
        values = keys.get(key)
        if isinstance(values, list) and values:
            for value in values:
                yield _token(Keys({key: value}, keys.file), key)
            return


def _token(keys: Keys, key: str) -> AddedToken:
    """Return a token that is stated as its text or as an object with flags."""
    value: Any = keys.get(key)
    if isinstance(value, str):
        return AddedToken(value, special=True, normalized=False)
    section = keys.section(key)
    if section is None:
        raise keys.error(key, "is missing")
    flags = {flag: section.boolean(flag, default=False) for flag in _FLAGS if section.get(flag) is not None}
    return AddedToken(section.string("content"), **flags)


def _id(keys: Keys, key: str) -> int:
    if not re.fullmatch(r"\d{1,8}", key, re.ASCII):
        raise keys.error(key, "is not the id of a token")
    return int(key)
