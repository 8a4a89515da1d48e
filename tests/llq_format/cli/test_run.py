"""`llq run` with token ids, and prompts that have no tokens."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import llq_format
from llq_format.reference import Decoder
from tests.support.command_line import llq, tiny
from tests.support.speaking_packages import speaking_package

PROMPT = [7, 3, 250]


def greedy(package: Path, count: int) -> list[int]:
    """Return the top-1 tokens, each from logits of the whole sequence."""
    tokens = list(PROMPT)
    with llq_format.open(package) as opened:
        for _ in range(count):
            tokens.append(int(Decoder(opened).prefill(tokens)[-1].argmax()))
    return tokens[len(PROMPT) :]


@pytest.mark.parametrize("ids", ["7,3,250", "7 3 250", " 7, 3, 250,"])
def test_token_ids_are_continued_without_a_tokenizer(tmp_path: Path, ids: str) -> None:
    package = tiny(tmp_path)
    expected = greedy(package, 5)
    result = llq("run", package, "--ids", ids, "--max-tokens", "5")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ",".join(map(str, expected)) + "\n"
    value = json.loads(llq("run", package, "--ids", ids, "--max-tokens", "5", "--json").stdout)
    assert (value["text"], value["token_ids"], value["prompt_tokens"]) == (None, expected, 3)


def test_token_ids_give_text_where_there_is_a_tokenizer(tmp_path: Path) -> None:
    package = speaking_package(tmp_path)
    value = json.loads(llq("run", package, "--ids", "7,3,250", "--max-tokens", "5", "--json").stdout)
    assert value["token_ids"] == greedy(package, 5)
    tokenizer = Tokenizer.from_file(str(package / "tokenizer.json"))
    assert value["text"] == tokenizer.decode(value["token_ids"], skip_special_tokens=True)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--ids", "1,x"], 2, "found x, expected token ids"),
        (["--ids", "-1"], 2, "found -1, expected token ids"),
        (["--ids", ","], 2, "found no token ids"),
        (["--ids", "1,256"], 1, "token id 256 is not in the vocabulary: expected ids less than 256"),
        (["hello", "--ids", "1"], 2, "expected either PROMPT or --ids"),
        ([], 2, "expected either PROMPT or --ids"),
        (["--ids", "1", "--chat"], 2, "--chat requires PROMPT"),
        (["hello"], 1, "this package has no tokenizer: pass token ids, such as --ids 1,2,3"),
    ],
)
def test_wrong_prompts_are_refused(tmp_path: Path, arguments: list[str], status: int, message: str) -> None:
    result = llq("run", tiny(tmp_path), *arguments)
    assert result.exit_code == status
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [[""], ["", "--chat"], ["", "--json"]])
def test_an_empty_prompt_gives_a_message(tmp_path: Path, arguments: list[str]) -> None:
    package = speaking_package(tmp_path, chat_template="{{ messages[0].content }}")
    result = llq("run", package, *arguments)
    assert result.exit_code == 1
    assert result.stderr == (
        f"llq: {package}: the prompt has no tokens: pass a text that is not empty, or --ids\n"
    )
