"""Special tokens, ids and chat prompts of directories: those of transformers, whichever file states them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

import llq_format
from llq_format.exporting.checkpoint import Checkpoint, open_checkpoint
from llq_format.package.reader import Package
from llq_format.reference.text import TextTokenizer
from tests.support.checkpoint_cases import BOS, CHAT, END, EOS, START, byte_tokenizer, write_checkpoint

transformers = pytest.importorskip("transformers")

TEXTS = ["hello world", "H", "", f"a{END}b", "<|tool|>x", "é 日本 \n\n 🦙", "<pad>a", "toolx"]
MESSAGES = [
    {"role": "user", "content": "Hé <b> \"q\" & 'x'"},
    {"role": "assistant", "content": "ok"},
    {"role": "user", "content": "日本"},
]
TOOL = {"content": "<|tool|>", "special": True, "normalized": False}


def added(content: str) -> dict[str, Any]:
    """Return a token as older configurations store it."""
    flags = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False)
    return {"__type": "AddedToken", "content": content, **flags}


@dataclass(frozen=True)
class Case:
    """The files of a checkpoint, the expected end tokens, and the ids of warnings."""

    eos: list[int]
    warnings: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    post_processor: bool = True
    more_tokens: int = 0
    tokenizer: Tokenizer | None = None

    def write(self, directory: Path) -> Path:
        """Write the checkpoint."""
        tokenizer = byte_tokenizer(post_processor=self.post_processor, tokens=self.more_tokens)
        return write_checkpoint(
            directory,
            config=self.config,
            settings=self.settings,
            tokenizer=self.tokenizer or tokenizer,
            **self.files,
        )


def with_end() -> Tokenizer:
    """Return a tokenizer that puts EOS after a text."""
    tokenizer = byte_tokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single=[BOS, "$A", EOS], special_tokens=[(BOS, 256), (EOS, 257)]
    )
    return tokenizer


def template(text: str, **settings: Any) -> Case:
    return Case([257], settings={"chat_template": text, **settings})


CASES = {
    "configuration names another BOS than the tokenizer": Case([257], ("bos-differs",), {"bos_token_id": 1}),
    "BOS of the template alone, and add_bos_token is false": Case(
        [257],
        settings={"add_bos_token": False, "chat_template": "{{ bos_token }}" + CHAT},
        post_processor=False,
    ),
    "add_bos_token is false, but the tokenizer puts BOS": Case(
        [257], ("setting-ignored",), settings={"add_bos_token": False}
    ),
    "BOS of the template alone, without post-processor": Case(
        [257], settings={"chat_template": "{{ bos_token }}" + CHAT}, post_processor=False
    ),
    "add_bos_token without post-processor": Case(
        [257], ("setting-ignored",), settings={"add_bos_token": True}, post_processor=False
    ),
    "add_bos_token is null": Case([257], settings={"add_bos_token": None}),
    "tokenizer that puts EOS after a text": Case(
        [257], ("tokens-around-text",), settings={"add_eos_token": True}, tokenizer=with_end()
    ),
    "BOS of the tokenizer, template without BOS": template(CHAT),
    "BOS and EOS of the tokenizer_config are objects": Case(
        [257], settings={"bos_token": added(BOS), "eos_token": added(EOS), "chat_template": CHAT}
    ),
    "end token of the tokenizer alone": Case([259], (), {"eos_token_id": ...}, {"eos_token": END}),
    "end tokens that differ": Case([257, 259], ("end-tokens-differ",), settings={"eos_token": END}),
    "end tokens of three files": Case(
        [258, 257, 259],
        ("end-tokens-differ",),
        settings={"eos_token": END},
        files={"generation_config": {"eos_token_id": [258, 257]}},
    ),
    "no end token": Case([], ("no-end-token",), {"eos_token_id": ...}, {"eos_token": ...}),
    "token of added_tokens_decoder alone": Case([257], settings={"added_tokens_decoder": {"260": TOOL}}),
    "token of added_tokens_decoder with another id": Case(
        [257], ("added-token-moved",), settings={"added_tokens_decoder": {"290": TOOL}}
    ),
    "text of added_tokens_decoder that is not special": Case(
        [257], settings={"added_tokens_decoder": {"260": {"content": "tool", "special": False}}}
    ),
    "token of added_tokens.json": Case([257], files={"added_tokens": {"<|tool|>": 260}}),
    "tokens of special_tokens_map.json": Case(
        [257, 259],
        ("end-tokens-differ",),
        settings={"chat_template": "{{ eos_token }}{{ pad_token }}|"},
        files={"special_tokens_map": {"eos_token": END, "pad_token": {"content": START}}},
    ),
    "special_tokens_map.json next to added_tokens_decoder": Case(
        [257],
        settings={"chat_template": "{{ eos_token }}|", "added_tokens_decoder": {"260": TOOL}},
        files={"special_tokens_map": {"eos_token": END}},
    ),
    "padding that no vocabulary has": Case(
        [257], settings={"pad_token": "<pad>", "chat_template": "{{ pad_token }}{{ eos_token }}"}
    ),
    "special tokens without names": Case([257], settings={"additional_special_tokens": ["<|tool|>"]}),
    "special tokens with names of their own": Case(
        [257],
        settings={"extra_special_tokens": {"tool_token": "<|tool|>"}, "chat_template": "{{ tool_token }}|"},
    ),
    "token with a name of its own": Case(
        [257], settings={"tool_token": "<|tool|>", "chat_template": "{{ tool_token }}|"}
    ),
    "tokenizer larger than the embedding": Case([257], ("tokenizer-too-large",), more_tokens=60),
    "template that tests tools": template("{% if tools is not none %}T{% endif %}" + CHAT),
    "template that writes JSON": template(
        "{{ messages[0]['content']|tojson }}{{ messages|tojson(indent=2) }}"
    ),
    "template that asks for the year": template("{{ strftime_now('%Y') }}" + CHAT),
    "template that breaks off": template(
        "{% for m in messages %}{{ m['content'] }}{% if loop.index == 2 %}{% break %}{% endif %};{% endfor %}"
    ),
    "template that marks text of the model": template(
        "{% for m in messages %}{% generation %}{{ m['content'] }}{% endgeneration %}{% endfor %}"
    ),
    "template that writes special tokens": template(
        "{{ eos_token }}{{ pad_token }}|{% if unk_token is defined %}U{% endif %}", pad_token=END
    ),
    "template that does not parse": Case(
        [257], ("template-syntax",), settings={"chat_template": "{% if %}{% endif %}"}
    ),
}


def packaged(checkpoint: Checkpoint, directory: Path) -> Package:
    """Return a package with the tokenizer of a checkpoint."""
    llq_format.save(directory, {"weight": np.zeros(4, np.float16)}, tokenizer=checkpoint.tokenizer)
    return llq_format.open(directory)


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])
def test_texts_messages_and_end_tokens_are_those_of_transformers(case: Case, tmp_path: Path) -> None:
    directory = case.write(tmp_path / "checkpoint")
    oracle = transformers.AutoTokenizer.from_pretrained(directory)
    with open_checkpoint(directory) as checkpoint:
        assert checkpoint.tokenizer is not None
        tokenizer = TextTokenizer(packaged(checkpoint, tmp_path / "package"))
        assert list(checkpoint.tokenizer.eos_token_ids) == case.eos
        assert tuple(found.id for found in checkpoint.warnings) == case.warnings
    for text in TEXTS:
        expected = oracle(text).input_ids
        assert tokenizer.encode(text) == (
            expected[:-1] if "tokens-around-text" in case.warnings else expected
        )
    if oracle.chat_template is None or "template-syntax" in case.warnings:
        return
    expected = oracle.apply_chat_template(MESSAGES, tokenize=False, add_generation_prompt=True)
    assert tokenizer.chat(MESSAGES) == expected
    ids = oracle.apply_chat_template(MESSAGES, add_generation_prompt=True)["input_ids"]
    assert tokenizer.encode_chat(MESSAGES) == ids


def test_values_of_warnings_name_what_was_found(tmp_path: Path) -> None:
    case = Case(
        [],
        config={"bos_token_id": 1, "auto_map": {"AutoModelForCausalLM": "modeling.Custom"}},
        settings={"added_tokens_decoder": {"290": TOOL}, "eos_token": END, "chat_template": "a\n{% if %}"},
        more_tokens=60,
    )
    with open_checkpoint(case.write(tmp_path / "c")) as checkpoint:
        found = {warning.id: warning.values for warning in checkpoint.warnings}
        assert list(found) == sorted(found)
        assert all(warning.message.isprintable() for warning in checkpoint.warnings)
    syntax = found.pop("template-syntax")
    assert syntax["line"] == 2
    assert found == {
        "added-token-moved": {
            "token": "<|tool|>",
            "id": 320,
            "stated": 290,
            "file": "tokenizer_config.json",
        },
        "bos-differs": {"file": "config.json", "stated": 1, "found": 256},
        "custom-code": {"classes": "AutoModelForCausalLM: modeling.Custom"},
        "end-tokens-differ": {"configured": [257], "tokenizer": 259},
        "tokenizer-too-large": {"largest": 320, "rows": 304, "last": 303},
    }
