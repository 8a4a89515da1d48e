"""The process with limits: results, errors, deadlines, memory, and the next call after each."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from llq_format.sandbox import process
from llq_format.sandbox.process import LimitError, SandboxProcess

ENDLESS = "[0 for _ in iter(int, 1)]"


@pytest.fixture
def sandbox() -> Iterator[SandboxProcess]:
    made = SandboxProcess()
    yield made
    made.close()


def test_results_and_errors_come_from_another_process(sandbox: SandboxProcess) -> None:
    assert sandbox.call("math:sqrt", 4.0) == 2
    other = sandbox.call("os:getpid")
    assert other != os.getpid()
    assert sandbox.call("os:getpid") == other
    with pytest.raises(ZeroDivisionError):
        sandbox.call("builtins:eval", "1 // 0")
    assert sandbox.call("os:getpid") == other


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["CPU_SECONDS", "WALL_SECONDS"])
def test_an_endless_call_ends(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    sandbox.call("os:getpid")
    monkeypatch.setattr(process, limit, 0.3)
    with pytest.raises(LimitError) as caught:
        sandbox.call("builtins:eval", ENDLESS)
    assert caught.value.limit == "time"
    monkeypatch.undo()
    assert sandbox.call("math:sqrt", 9.0) == 3


def test_waiting_uses_no_processor_time_and_ends_too(
    sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WALL_SECONDS", 0.3)
    with pytest.raises(LimitError, match="needs more than"):
        sandbox.call("time:sleep", 10**6)


def test_too_much_memory_is_an_error(sandbox: SandboxProcess) -> None:
    with pytest.raises(LimitError) as caught:
        sandbox.call("builtins:eval", "'x' * (3 * 10**9)")
    assert caught.value.limit == "memory"
    assert sandbox.call("math:sqrt", 9.0) == 3


def test_a_process_that_ends_itself_is_an_error(sandbox: SandboxProcess) -> None:
    with pytest.raises(LimitError) as caught:
        sandbox.call("os:abort")
    assert caught.value.limit == "crash"
    assert sandbox.call("math:sqrt", 9.0) == 3


def test_exceptions_that_are_no_errors_come_back_as_errors(sandbox: SandboxProcess) -> None:
    with pytest.raises(ValueError, match="7"):
        sandbox.call("sys:exit", 7)
    with pytest.raises(ModuleNotFoundError) as caught:
        sandbox.call("no_such_module:f")
    assert caught.value.name == "no_such_module"


def test_output_of_a_library_is_not_an_answer(sandbox: SandboxProcess) -> None:
    assert sandbox.call("builtins:print", "noise") is None
    assert sandbox.call("os:write", 1, b"noise") == 5
    assert sandbox.call("math:sqrt", 9.0) == 3


def test_threads_get_their_own_answers(sandbox: SandboxProcess) -> None:
    answers: dict[int, float] = {}
    threads = [
        threading.Thread(target=lambda n=n: answers.update({n: sandbox.call("math:sqrt", float(n * n))}))
        for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: n for n in range(20)}


def test_a_call_works_in_the_present_directory(
    sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.call("os:getpid")
    monkeypatch.chdir(tmp_path)
    assert sandbox.call("os:getcwd") == str(Path.cwd())
