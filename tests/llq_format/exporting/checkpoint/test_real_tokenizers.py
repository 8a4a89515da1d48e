"""Tokenizers of real models: ids, texts and chat prompts of transformers, in Python and in JavaScript."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import TemplateError

import llq_format
from llq_format.exporting.checkpoint import huggingface_tokenizer
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.metadata.tokenizer import TokenizerFiles
from llq_format.reference.text import TextTokenizer
from tests.support.real_tokenizers import directory, names
from tests.support.repository import ROOT
from tests.support.texts import texts
from tests.support.timeouts import seconds

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.slow

TEXTS = [
    *texts()[::4],
    "",
    "Hello, world!",
    "It's 2024, they'll pay $12,345.67 -- won't they?",
    "don't DON'T I'Ve we'RE",
    "caf\u00e9 na\u00efve \u03a9\u03bc\u03ad\u03b3\u03b1",
    "\u65e5\u672c\u8a9e e\u0301",
    "\U0001f389\U0001f469\u200d\U0001f469\u200d\U0001f467 \u0661\u0662\u0663",
    "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27",
    "a\n\n  b\t c\r\n\r\nd   \n ",
    "def f(x):\n    return x**2  # \\n\n",
    "<|im_start|>user\nhi<|im_end|>\n",
    "<|eot_id|>a<|end|>b<end_of_turn>",
    "[INST] hi [/INST]</s>",
    " leading and trailing  ",
    "  ",
    "no\u00a0break\u3000wide\u2028line",
    "x" * 200,
    "the " * 50,
    "\u017f\u00df \ufb01 \u2460 \u212b A\u030a",
    "1234567890 3.14159 1e-5",
    "\x00\x01\x7f",
    "https://a.b/c?d=e&f=g#h",
]
WITHOUT_JAVASCRIPT = ["jurassic_2"]
CHATS = [
    [{"role": "user", "content": "H\u00e9 <b> \"q\" & 'x'"}],
    [
        {"role": "user", "content": "hi "},
        {"role": "assistant", "content": " ok\n"},
        {"role": "user", "content": "\u65e5\u672c"},
    ],
    [
        {"role": "system", "content": "You are\nhelpful."},
        {"role": "user", "content": "hi "},
        {"role": "assistant", "content": " ok\n"},
        {"role": "user", "content": "\u65e5\u672c"},
    ],
]


@dataclass(frozen=True)
class Answers:
    """Ids of TEXTS, their texts without special tokens, and text and ids of each of CHATS.

    The text of a chat is None if there is no template or if the template refuses it.
    """

    ids: list[list[int]]
    decoded: list[str]
    chats: list[tuple[str | None, list[int]]]


@cache
def files(name: str) -> TokenizerFiles:
    found, _ = huggingface_tokenizer.read(directory(name), Keys({}, "config.json"), 2**24)
    assert found is not None
    return found


@cache
def expected(name: str) -> Answers:
    """Return the answers of transformers for tokenizer.json as it is, or for tokenizer.model.

    Some classes of transformers rebuild the tokenizer and ignore parts of the file; this class does not.
    """
    converts = (directory(name) / "tokenizer.model").is_file()
    kind = transformers.AutoTokenizer if converts else transformers.PreTrainedTokenizerFast
    oracle = kind.from_pretrained(directory(name))
    ids = [oracle(text).input_ids for text in TEXTS]
    chats: list[tuple[str | None, list[int]]] = []
    for messages in CHATS:
        try:
            text = oracle.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except (TemplateError, ValueError):
            chats.append((None, []))
            continue
        chat_ids = oracle.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
        chats.append((text, chat_ids))
    return Answers(ids, [oracle.decode(row, skip_special_tokens=True) for row in ids], chats)


@pytest.mark.parametrize("name", names())
def test_python_gives_the_ids_and_prompts_of_transformers(name: str, tmp_path: Path) -> None:
    llq_format.save(tmp_path / "p", {"weight": np.zeros(4, np.float16)}, tokenizer=files(name))
    tokenizer = TextTokenizer(llq_format.open(tmp_path / "p"))
    answers = expected(name)
    ids = [tokenizer.encode(text) for text in TEXTS]
    assert ids == answers.ids
    assert [tokenizer.decode(row) for row in ids] == answers.decoded
    for messages, chat in zip(CHATS, answers.chats, strict=True):
        if chat[0] is None:
            with pytest.raises(ValueError, match=r"no chat template|refuses the messages"):
                tokenizer.chat(messages)
        else:
            assert (tokenizer.chat(messages), tokenizer.encode_chat(messages)) == chat


def in_javascript(name: str, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Ask the JavaScript runtime for ids, texts and chats."""
    deno = shutil.which("deno")
    assert deno is not None
    found = files(name)
    (tmp_path / "tokenizer.json").write_bytes(found.tokenizer_json)
    options: dict[str, Any] = {
        "bosTokenId": found.bos_token_id,
        "eosTokenIds": list(found.eos_token_ids),
        "chatTemplate": found.chat_template,
        "specialTokens": found.special_tokens,
    }
    question = {
        "tokenizers": [{"file": str(tmp_path / "tokenizer.json"), "options": options}],
        "texts": TEXTS,
        "chats": CHATS,
    }
    return subprocess.run(  # noqa: S603  # deno
        [deno, "run", "--allow-read", "--allow-env", "--no-prompt", "web/test/support/tokenize_files.mjs"],
        input=json.dumps(question),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds(60),
    )


@pytest.mark.parametrize("name", [name for name in names() if name not in WITHOUT_JAVASCRIPT])
def test_javascript_gives_the_ids_and_prompts_of_transformers(name: str, tmp_path: Path) -> None:
    run = in_javascript(name, tmp_path)
    assert run.returncode == 0, run.stderr
    (answer,) = json.loads(run.stdout)
    answers = expected(name)
    assert answer["ids"] == answers.ids
    assert answer["decoded"] == answers.decoded
    assert [(chat["text"], chat["ids"]) for chat in answer["chats"]] == answers.chats


@pytest.mark.parametrize("name", WITHOUT_JAVASCRIPT)
def test_javascript_refuses_what_its_library_reads_otherwise(name: str, tmp_path: Path) -> None:
    run = in_javascript(name, tmp_path)
    assert run.returncode == 1
    assert "a Unigram model with byte_fallback is not supported" in run.stderr
