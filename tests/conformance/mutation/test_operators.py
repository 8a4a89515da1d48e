"""Mutation operators on toy sources: which changes they propose, and what the changed code does."""

import builtins
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conformance.mutation.operators.effects import EFFECTS, Changes, kept
from conformance.mutation.operators.mutants import OPERATOR_MODULES, OperatorMutant, mutants
from conformance.mutation.operators.observation import Recorder, kind_and_size, reporting_tree
from conformance.mutation.operators.operator import OPERATORS
from conformance.mutation.operators.sources import MODULES, Source, load

TOYS = {
    "total": "def f(n):\n    total = 0\n    for i in range(n):\n        total += i\n    return total\n",
    "named": "def f(n):\n    return [name for name in ['b', 'a', 'c'][:n]]\n",
    "scaled": "def f(x):\n    return x / x.max()\n",
    "checked": "def f(n):\n    if n < 3 and n >= 0:\n        return 'small'\n    return 'large'\n",
    "clamped": "def f(n):\n    return min(n, 7)\n",
    "raised": "def f(n):\n    if n > 5:\n        raise ValueError(f'{n} is above {5}')\n    return n\n",
    "doubled": "def f(a, b):\n    return 2 * a + b\n",
    "measured": "def f(x):\n    return len(x) if x is not None else 0\n",
    "filled": (
        "import numpy as np\n\n\ndef f(x):\n    buffer = np.empty(9)\n    part = buffer[:3]\n"
        "    np.negative(x, out=part)\n    return part\n"
    ),
    "searched": "def f(x):\n    return any(i > 2 for i in x), {i for i in x}, sorted(i for i in x)\n",
    "passed on": "def f(x):\n    observe = lambda name, value: value\n    return observe('x', tuple(x))\n",
    "numbered": "def f(x):\n    return [(i, y) for i, y in enumerate(y for y in x)]\n",
    "given": "def f(x):\n    return abs(x)\n",
    "two texts": (
        "def f(n):\n    row, column = divmod(n, 7)\n    if n > 90:\n"
        "        raise ValueError(f'{row} {column}')\n    return 0\n"
    ),
}


def toy_mutants(name: str, *arguments: Any) -> list[OperatorMutant]:
    """Return the mutants of a toy, of which one question evaluates f with these arguments."""
    source = Source("toy", Path("toy.py"), TOYS[name])
    recorder = Recorder()
    namespace: dict[str, Any] = {"__observe__": recorder}
    exec(compile(reporting_tree(source), "toy.py", "exec"), namespace)  # noqa: S102  # a toy above
    recorder.question = 0
    namespace["f"](*arguments)
    return list(mutants(source, recorder.seen))


def changes(name: str, operator: str, *arguments: Any) -> set[str]:
    """Return what an operator proposes in a toy, as `before -> after`."""
    return {f"{m.before} -> {m.after}" for m in toy_mutants(name, *arguments) if m.operator == operator}


def run_mutant(mutant: OperatorMutant, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return f of a mutant of a toy."""
    monkeypatch.setattr(builtins, "__mutation__", EFFECTS, raising=False)
    monkeypatch.setattr(builtins, "__kept__", kept, raising=False)
    namespace: dict[str, Any] = {}
    exec(compile(mutant.tree(), "toy.py", "exec"), namespace)  # noqa: S102  # a toy above, changed
    result: Callable[..., Any] = namespace["f"]
    return result


@pytest.mark.parametrize(
    ("toy", "operator", "argument", "expected"),
    [
        ("total", "limit", 20, "n -> __mutation__['limit-16'](n)"),
        ("total", "modulo", 300, "n -> __mutation__['modulo-256'](n)"),
        ("total", "off-by-one", 3, "n -> __mutation__['minus-one'](n)"),
        ("total", "tail", 3, "range(n) -> __mutation__['without-tail'](range(n))"),
        ("total", "missing-step", 3, "total += i -> pass"),
        ("named", "order", 3, "['b', 'a', 'c'][:n] -> __mutation__['by-name'](['b', 'a', 'c'][:n])"),
        ("named", "first", 3, "['b', 'a', 'c'][:n] -> __mutation__['first-1'](['b', 'a', 'c'][:n])"),
        ("named", "ignored-argument", 3, ":n -> :"),
        ("scaled", "narrow", np.ones(3), "x / x.max() -> __mutation__['binary16'](x / x.max())"),
        ("scaled", "arithmetic", np.ones(3), "x / x.max() -> x"),
        ("scaled", "opposite", np.ones(3), "x.max -> x.min"),
        ("checked", "boundary", 1, "n < 3 -> n <= 3"),
        ("checked", "clause", 1, "n < 3 and n >= 0 -> n < 3"),
        ("checked", "condition", 1, "n < 3 and n >= 0 -> False"),
        ("clamped", "constant", 1, "7 -> 8"),
        ("clamped", "missing-step", 1, "min(n, 7) -> n"),
        ("raised", "condition", 1, "n > 5 -> False"),
    ],
)
def test_an_operator_proposes_a_change(toy: str, operator: str, argument: Any, expected: str) -> None:
    assert expected in changes(toy, operator, argument)


def test_operators_have_a_description_and_are_registered_once() -> None:
    assert len(OPERATORS) >= 20
    assert {propose.__module__ for propose in OPERATORS.values()} == {m.__name__ for m in OPERATOR_MODULES}
    assert all(propose.__doc__ for propose in OPERATORS.values())


def test_messages_annotations_and_code_that_no_question_evaluates_have_no_mutants() -> None:
    places = {mutant.before for mutant in toy_mutants("raised", 1)}
    assert places
    assert not any("above" in place or "ValueError" in place for place in places)
    assert "'large'" not in places


def test_a_limit_above_all_values_is_not_reached() -> None:
    reached = {m.after: m.reached for m in toy_mutants("total", 20) if m.before == "n"}
    assert reached["__mutation__['limit-16'](n)"]
    assert not reached["__mutation__['limit-256'](n)"]


@pytest.mark.parametrize(
    ("toy", "operators", "argument", "place"),
    [
        ("measured", ("limit", "narrow", "sign", "tail", "order"), np.full(20, 0.1), "x"),
        ("filled", ("limit", "narrow", "sign", "tail"), np.full(3, 0.1), "np.negative(x, out=part)"),
        ("filled", ("limit", "narrow", "sign", "tail"), np.full(3, 0.1), "buffer"),
        ("filled", ("limit", "narrow", "sign", "tail"), np.full(3, 0.1), "buffer[:3]"),
        ("searched", ("twice", "order"), [1, 2], "(i > 2 for i in x)"),
        ("passed on", ("missing-step",), (1, 2), "observe('x', tuple(x))"),
        ("passed on", ("missing-step",), (1, 2), "tuple(x)"),
        ("two texts", ("swapped", "missing-step", "off-by-one"), 80, "divmod(n, 7)"),
    ],
)
def test_changes_that_no_use_of_a_value_sees_are_not_proposed(
    toy: str, operators: tuple[str, ...], argument: Any, place: str
) -> None:
    assert not [m.after for m in toy_mutants(toy, argument) if m.operator in operators and m.before == place]


def test_the_order_of_what_a_set_or_a_sorted_list_takes_is_not_changed() -> None:
    assert changes("searched", "order", [1, 2]) == set()
    assert changes("searched", "twice", [1, 2]) == {
        f"{place} -> __mutation__['twice']({place})" for place in ("x", "(i for i in x)")
    }


def test_a_narrower_type_that_holds_all_numbers_is_not_reached() -> None:
    reached = {m.after: m.reached for m in toy_mutants("given", np.array([1.5, 257.0]))}
    assert not reached["__mutation__['binary16'](x)"]
    assert reached["__mutation__['bfloat16'](x)"]


def test_an_iterator_has_the_length_of_what_it_goes_through() -> None:
    reached = {m.after: m.reached for m in toy_mutants("numbered", range(20)) if m.operator == "first"}
    for place in ("enumerate((y for y in x))", "(y for y in x)", "x"):
        assert reached[f"__mutation__['first-16']({place})"]
        assert not reached[f"__mutation__['first-256']({place})"]


def test_keys_are_unique_and_stay_when_other_functions_change() -> None:
    keys = [mutant.key for mutant in toy_mutants("total", 20)]
    assert len(set(keys)) == len(keys)
    TOYS["total after another"] = "def g(a):\n    return a + 1\n\n\n" + TOYS["total"]
    assert [mutant.key for mutant in toy_mutants("total after another", 20)] == keys


def test_every_mutant_of_the_toys_compiles_and_some_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = [number for number, mutant in enumerate(toy_mutants("total", 5)) if mutant.reached]
    results = []
    for number in reached:
        mutant = toy_mutants("total", 5)[number]  # a tree is changed once
        try:
            results.append(run_mutant(mutant, monkeypatch)(5))
        except Exception:  # noqa: BLE001  # a mutant may fail in any way
            results.append(None)
    assert len(results) > 10
    assert results.count(10) < len(results) / 2


def test_a_kept_result_ignores_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    kept_mutants = [m for m in toy_mutants("doubled", 1, 2) if m.operator == "kept-result"]
    assert len(kept_mutants) == 2
    f = run_mutant(kept_mutants[1], monkeypatch)
    assert [f(1, 2), f(1, 3), f(2, 2)] == [4, 4, 6]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("limit-16", 20, 16),
        ("modulo-256", 260, 4),
        ("int8", 200, -56),
        ("int16", np.array([70000]), np.array([4464])),
        ("binary16", 1 / 3, float(np.float16(1 / 3))),
        ("bfloat16", np.array([1 / 3, np.inf]), np.array([0.333984375, np.inf])),
        ("without-tail", np.array([[1.0, 2.0]]), np.array([[1.0, 0.0]])),
        ("without-tail", (1, 2, 3), (1, 2)),
        ("by-name", ["b", "a"], ["a", "b"]),
        ("order-of-texts", list(range(12)), [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]),
        ("twice", [1, 2], [1, 2, 2]),
        ("reversed", np.array([1, 2]), np.array([2, 1])),
    ],
)
def test_an_effect_changes_a_value_and_notes_it(name: str, value: Any, expected: Any) -> None:
    Changes.seen = False
    result = EFFECTS[name](value)
    assert np.array_equal(result, expected)
    assert type(result) is type(value)
    assert Changes.seen


def test_an_effect_without_a_change_notes_nothing() -> None:
    Changes.seen = False
    EFFECTS["limit-16"](16)
    EFFECTS["binary16"](np.array([1.5, np.nan]))
    assert not Changes.seen


@pytest.mark.parametrize(
    ("name", "value"), [("first-16", iter("ab")), ("without-tail", iter("")), ("by-name", {"a": 1, "b": 2})]
)
def test_an_effect_that_keeps_all_items_notes_nothing(name: str, value: Any) -> None:
    Changes.seen = False
    EFFECTS[name](value)
    assert not Changes.seen
    EFFECTS[name](iter("cba" * 9))
    assert Changes.seen


def test_kinds_of_values() -> None:
    values = [True, 7, np.int64(-9), 1.5, np.ones((2, 3)), "abc", (1, 2), {}, None, iter([])]
    kinds = [kind_and_size(value) for value in values]
    assert kinds[:5] == [("bool", 0), ("int", 7), ("int", 9), ("float", 0), ("floats", 3)]
    assert kinds[5:] == [("str", 3), ("sequence", 2), ("mapping", 0), ("none", 0), ("iterator", 0)]


@pytest.mark.parametrize("module", MODULES)
def test_the_modules_of_the_reference_exist_and_report_their_values(module: str) -> None:
    source = load(module)
    compile(reporting_tree(source), str(source.path), "exec")
