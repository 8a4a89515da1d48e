"""The checks of computed answers: over both kinds of adapters, and their messages about wrong answers."""

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from conformance.checks import CHECKS
from conformance.container import error_bound
from conformance.core.check import Outcome, Result
from conformance.core.rules import registry
from conformance.core.runtime import BrokenAdapter, Info, Rounded, Sampling, Tokenized
from conformance.core.vectors import Vector, load
from conformance.runtimes.command import CommandRuntime
from conformance.runtimes.in_process import InProcessRuntime
from tests.support.repository import ROOT
from tests.support.timeouts import seconds

BY_NAME = {check.name: check for check in CHECKS}
ADAPTER = f"{shlex.quote(sys.executable)} -m tests.support.reference_adapter"
X = np.array([[127, -63.5, 0.5, 1.5], [0, 0, 0, 0], [-2, 1, 0, 2**-120]], np.float32)


@pytest.fixture
def vector(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Vector]:
    """Provide a function that makes a vector; arrays among its members become files."""

    def make(kind: str, *rules: str, **members: Any) -> Vector:
        home = tmp_path_factory.mktemp(kind)
        for name, value in members.items():
            if isinstance(value, np.ndarray):
                np.save(home / f"{name}.npy", value)
                members[name] = f"{name}.npy"
        return Vector(f"a-{kind}", kind, home, "A small one.", rules, members=members, home=home)

    return make


Make = Callable[..., Vector]


SAMPLING = Sampling(1.0, 0, 1.0, 0, 0)


class Says:
    """Gives the same answers to all questions of a kind, one after another."""

    capabilities = frozenset({"activations", "matvec", "logits", "generate", "sample", "tokenize"})
    info = Info("says", kv_cache="f32")

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def __call__(self, *_question: object) -> Any:
        """Answer."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    activations = matvec = logits = generate = sample = tokenize = __call__


def ask(vector: Vector, *answers: Any) -> Result:
    return BY_NAME[vector.kind](InProcessRuntime(Says(*answers), seconds(30)), vector, Path())


def assert_explained(result: Result, *texts: str) -> None:
    """Check that a failure cites the vector's rules, each with its sentence, and contains the texts."""
    assert result.outcome is Outcome.FAILED
    for rule in result.rules:
        assert registry()[rule].sentence in result.explanation
    for text in ("A small one.", *texts):
        assert text in result.explanation, result.explanation


# ---- The protocol -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapter() -> Iterator[CommandRuntime]:
    runtime = CommandRuntime(ADAPTER)
    yield runtime
    runtime.close()


def of_kind(kind: str) -> list[Vector]:
    return [vector for vector in load() if vector.kind == kind][:5]


@pytest.mark.parametrize(
    "name", ["activations", "matvec", "logits", "trace", "generate", "sample", "adjust", "tokenize"]
)
def test_a_command_is_asked_as_an_object_is(
    name: str, adapter: CommandRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    assert adapter.info.kv_cache == "f32"
    vectors = of_kind("logits" if name == "trace" else name)
    results = [BY_NAME[name](adapter, vector, Path()) for vector in vectors]
    assert results
    assert [result.explanation for result in results if result.outcome is not Outcome.PASSED] == []


def test_logits_need_a_declared_cache() -> None:
    class Silent(Says):
        info = Info("silent")

    with pytest.raises(BrokenAdapter, match="its info does not declare kv_cache, expected f32 or f16"):
        InProcessRuntime(Silent(), seconds(30))


BROKEN: list[tuple[str, tuple[Any, ...], Any, str]] = [
    ("activations", (X, "int8"), X, "activations returned ndarray, not a Rounded"),
    ("activations", (X, "int8"), Rounded(X), "activations returned NoneType, not a numpy array"),
    ("activations", (X, "binary16"), Rounded(X.astype(np.float16)), "of float16, not of float32"),
    ("matvec", (Path(), "w", "int8", X), X.astype(np.float16), "not of float32 or float64"),
    ("logits", (Path(), [1], [1]), [[0.0]], "logits returned list, not a numpy array"),
    ("generate", (Path(), [1], 1), [1.5], "generate returned token ids that are not integers"),
    ("sample", (X[0], SAMPLING, 1), [0.5], "sample returned token ids that are not integers"),
    ("tokenize", (Path(), "a"), [1], "tokenize returned list, not a Tokenized"),
]


@pytest.mark.parametrize(("method", "question", "answer", "text"), BROKEN)
def test_what_is_not_an_answer_breaks_the_adapter(
    method: str, question: tuple[Any, ...], answer: Any, text: str
) -> None:
    with pytest.raises(BrokenAdapter, match=text):
        getattr(InProcessRuntime(Says(answer), seconds(30)), method)(*question)


# ---- Activations --------------------------------------------------------------------------------------


@pytest.fixture
def int8(vector: Make) -> Vector:
    least = np.array([[127, -64, 0, 1], [0] * 4, [-127, 63, 0, 0]], np.float32)
    greatest = np.array([[127, -63, 1, 2], [0] * 4, [-127, 64, 0, 0]], np.float32)
    scale = np.array([1, 0, 2 / 127])
    return vector(
        "activations", "LLQ-ACT-5", format="int8", input=X, least=least, greatest=greatest, scale=scale
    )


def rounded(vector: Vector, **changes: float) -> Rounded:
    """Return legal codes and scales, except for `code` in the first place and `scale` in the last."""
    codes, scales = vector.array("least"), vector.array("scale")
    codes[0, 1] = changes.get("code", codes[0, 1])
    scales[2] = changes.get("scale", scales[2])
    return Rounded(codes, scales)


@pytest.mark.parametrize("code", [-64, -63])
def test_either_legal_code_passes(int8: Vector, code: float) -> None:
    assert ask(int8, rounded(int8, code=code)).outcome is Outcome.PASSED


def test_an_illegal_code_is_reported(int8: Vector) -> None:
    assert_explained(
        ask(int8, rounded(int8, code=-62)),
        "codes outside the guard band",
        "outside    1 of 12 elements",
        "first      vector 0, element 1",
        "expected   C27C0000  -63.0",
        "got        C2780000  -62.0",
        "error      1; bound 0; error/bound inf",
        "legal      -64 to -63",
        "input      -63.5; 127·x / max|x| is -63.5",
    )


def test_a_code_that_is_not_an_integer_is_reported(int8: Vector) -> None:
    assert_explained(ask(int8, rounded(int8, code=-63.5)), "got        C27E0000  -63.5")


def test_a_scale_that_is_off_is_reported(int8: Vector) -> None:
    assert_explained(
        ask(int8, rounded(int8, scale=2 / 127 * (1 + 2**-20))),
        "scales off by more than 2^-21",
        "first      vector 2",
        "error/bound 2",
    )


def test_nan_breaks_num_1_before_all(int8: Vector) -> None:
    result = ask(int8, rounded(int8, scale=np.nan, code=np.inf))
    assert result.broken == ("LLQ-NUM-1", "LLQ-ACT-5")
    assert result.headline == "codes outside the guard band, scales off by more than 2^-21"
    assert_explained(result, "breaks     LLQ-NUM-1", "error/bound inf")


def test_negligible_vectors_may_be_taken_for_zeros(vector: Make) -> None:
    x = np.array([[2.0**-110, 0]], np.float32)
    codes = np.array([[127, 0]], np.float32)
    scale = np.array([2.0**-110 / 127])
    small = vector(
        "activations", "LLQ-ACT-4", format="int8", input=x, least=codes, greatest=codes, scale=scale
    )
    assert ask(small, Rounded(codes, scale)).outcome is Outcome.PASSED
    assert ask(small, Rounded(0 * codes, 0 * scale)).outcome is Outcome.PASSED
    assert ask(small, Rounded(0 * codes, scale)).outcome is Outcome.FAILED


@pytest.fixture
def binary16(vector: Make) -> Vector:
    expected = np.array([[2.0**-15, 2.0**-14, 1, -65504]], np.float32)
    return vector("activations", "LLQ-ACT-1", format="binary16", input=expected, expected=expected)


def test_a_subnormal_binary16_may_be_flushed_and_no_other(binary16: Vector) -> None:
    values = binary16.array("expected")
    assert ask(binary16, Rounded(values)).outcome is Outcome.PASSED
    values[0, 0] = 0
    assert ask(binary16, Rounded(values)).outcome is Outcome.PASSED
    values[0, 1] = 0
    assert_explained(ask(binary16, Rounded(values)), "first      vector 0, element 1", "input      6.103515")


def test_another_shape_is_reported(int8: Vector, binary16: Vector) -> None:
    assert_explained(ask(binary16, Rounded(np.zeros((4, 1), np.float32))), "expected   the shape [1, 4]")
    wrong = Rounded(int8.array("least"), np.zeros((3, 1)))
    assert_explained(ask(int8, wrong), "wrong shape of the scales", "got        the shape [3, 1]")


# ---- Products and logits ------------------------------------------------------------------------------


EXPECTED = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


@pytest.fixture
def products(vector: Make) -> Vector:
    members = {"tensor": "w", "format": "int8", "input": X, "expected": EXPECTED}
    return vector("matvec", "LLQ-NUM-3", bound=np.full((2, 3), 0.25), **members)


def test_the_first_and_the_worst_product_are_reported(products: Vector) -> None:
    actual = EXPECTED.astype(np.float32)
    actual[0, 1] += 0.5
    actual[1, 2] -= 8
    assert_explained(
        ask(products, actual),
        "outside    2 of 6 elements",
        "first      vector 0, output row 1\n  expected   40000000  2.0\n  got        40200000  2.5",
        "error      0.5; bound 0.25; error/bound 2",
        "worst      vector 1, output row 2",
        "got        C0000000  -2.0",
        "error      8; bound 0.25; error/bound 32",
        "tensor     w, inputs in int8",
    )
    assert ask(products, EXPECTED + 0.25).outcome is Outcome.PASSED


def test_hexadecimal_digits_are_of_the_format_that_was_returned(products: Vector) -> None:
    assert_explained(
        ask(products, EXPECTED + 1), "expected   3FF0000000000000  1.0", "got        4000000000000000  2.0"
    )


@pytest.fixture
def model(vector: Make) -> Vector:
    splits = [[2], [1, 1]]
    bounds = {"f32": 0.125, "f16": 1.0}
    return vector("logits", "LLQ-NUM-4", tokens=[1, 2], splits=splits, expected=EXPECTED, bounds=bounds)


def test_logits_that_depend_on_the_split_are_reported(model: Vector) -> None:
    result = ask(model, EXPECTED, EXPECTED + 2)
    assert result.broken == ("LLQ-DEC-17", "LLQ-NUM-4")
    assert_explained(
        result, "split      [2]: right", "split      [1, 1]: wrong", "first      position 0, token 0"
    )


def test_the_bound_is_that_of_the_declared_cache(model: Vector) -> None:
    assert_explained(
        ask(model, EXPECTED + 0.5),
        "KV cache   f32, as declared",
        "within the bound of f16, 1: does the cache hold f16?",
    )
    declared = Says(EXPECTED + 0.5)
    declared.info = Info("says", kv_cache="f16")
    assert BY_NAME["logits"](InProcessRuntime(declared, seconds(30)), model, Path()).outcome is Outcome.PASSED
    assert "does the cache hold" not in ask(model, EXPECTED + 2).explanation


def test_nan_among_logits_is_reported(model: Vector) -> None:
    actual: NDArray[np.float64] = EXPECTED.copy()
    actual[1, 1] = np.nan
    result = ask(model, actual)
    assert (result.headline, result.broken[0]) == ("NaN or infinity", "LLQ-NUM-1")
    assert_explained(result, "first      position 1, token 1", "error/bound inf")


def test_logits_of_some_positions_alone_are_not_an_answer(model: Vector) -> None:
    assert_explained(ask(model, EXPECTED[1:]), "wrong shape", "got        the shape [1, 3]")


def test_nan_exceeds_every_bound() -> None:
    actual = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert error_bound.outside(actual, np.ones(4), np.float64(1e30)).tolist() == [True, True, True, False]


# ---- Tokens -------------------------------------------------------------------------------------------


@pytest.fixture
def generation(vector: Make) -> Vector:
    question = vector("generate", "LLQ-GEN-1", tokens=[1], max_tokens=3, expected=[7, 8, 9], margin=0.5)
    (question.home / "metadata.json").write_text(
        '{"model": {"context_length": 64}, "tokenizer": {"eos_token_ids": [2]}}'
    )
    return question


LATE = "LLQ-GEN-2", "LLQ-GEN-1"
GENERATED: list[tuple[Sequence[int], str, str, tuple[str, ...]]] = [
    ([7, 5, 9], "different token", "step 1: expected token 8, got token 5", ("LLQ-GEN-1",)),
    ([7, 8], "generation stops too early", "step 2: expected token 9, got the end", ("LLQ-GEN-1",)),
    (
        [7, 8, 9, 4],
        "generation stops too late",
        "step 3: expected the end, got token 4",
        ("LLQ-GEN-2", "LLQ-GEN-1"),
    ),
    ([7, 8, 2], "different token", "step 2: expected token 9, got token 2", LATE),
]


@pytest.mark.parametrize(("tokens", "headline", "first", "broken"), GENERATED)
def test_the_first_step_that_differs_is_reported(
    generation: Vector, tokens: Sequence[int], headline: str, first: str, broken: tuple[str, ...]
) -> None:
    result = ask(generation, tokens)
    assert (result.headline, result.broken) == (headline, broken)
    assert_explained(result, f"first      {first}", "prompt     [1], max_tokens 3, eos_token_ids [2]")
    assert ask(generation, np.array([7, 8, 9])).outcome is Outcome.PASSED


def test_what_is_wrong_with_tokens_and_text_is_reported(vector: Make) -> None:
    prompt = vector("tokenize", "LLQ-TOK-1", text="é", ids=[1, 2], decoded="é")
    assert ask(prompt, Tokenized((1, 2), "é")).outcome is Outcome.PASSED
    result = ask(prompt, Tokenized((1, 1, 2), "e"))
    assert result.headline == "different token ids, different text decoded"
    assert_explained(
        result, "text       '\\xe9'", "id 1: expected 2, got 1", "expected   '\\xe9'\n  got        'e'"
    )
    assert_explained(ask(prompt, Tokenized((1,), "é")), "id 1: expected 2, got nothing")


@pytest.fixture
def draws(vector: Make) -> Vector:
    parameters = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "seed": str(2**64 - 1), "position": 4}
    drawn = {**parameters, "count": 3, "expected": [7, 8, 9]}
    refused = {**parameters, "temperature": -1.0, "count": 1, "expected": None}
    return vector("sample", "LLQ-GEN-3", logits=np.zeros(10, np.float32), draws=[drawn, refused])


Tokens = Sequence[int] | None
REFUSALS = "LLQ-GEN-9", "LLQ-GEN-3"
DRAWN: list[tuple[tuple[Tokens, Tokens], str, str, tuple[str, ...]]] = [
    (([7, 5, 9], None), "different token", "position 5: expected token 8, got token 5", ("LLQ-GEN-3",)),
    (([7, 8], None), "a different number of tokens", "got        [7, 8]", ("LLQ-GEN-3",)),
    ((None, None), "parameters refused", "got        a refusal", REFUSALS),
    (([7, 8, 9], [0]), "parameters not refused", "expected   a refusal", REFUSALS),
]


@pytest.mark.parametrize(("answers", "headline", "text", "broken"), DRAWN)
def test_what_is_wrong_with_drawn_tokens_is_reported(
    draws: Vector, answers: tuple[Tokens, Tokens], headline: str, text: str, broken: tuple[str, ...]
) -> None:
    result = ask(draws, *answers)
    assert (result.headline, result.broken) == (headline, broken)
    seed = "seed 18446744073709551615, position 4"
    assert text in result.explanation
    assert seed in result.explanation
    assert ask(draws, [7, 8, 9], None).outcome is Outcome.PASSED
