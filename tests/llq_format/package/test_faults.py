"""Faults at file-system calls: the old or the new package is there, and the next run removes the rest."""

import random
from collections.abc import Iterator

import pytest

from tests.support.faults import __main__ as whole
from tests.support.faults.injector import KINDS, Injector, compiler, injector, messages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="needs Linux and a C compiler"),
]

SAMPLE = 50
"""Number of faults of the sample; `python -m tests.support.faults` injects all of them."""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Injector]:
    folder = tmp_path_factory.mktemp("faults")
    with injector(folder, *whole.inputs(folder)) as made:
        yield made


def test_after_a_fault_the_old_or_the_new_package_is_there(faulty: Injector) -> None:
    faults = faulty.faults()
    assert len(faults) >= 2000
    assert {fault.kind for fault in faults} == set(KINDS)
    for fault in random.Random(16).sample(faults, SAMPLE):  # noqa: S311  # a sample
        assert faulty.inject(fault) == [], fault


def test_every_kill_around_the_exchange_leaves_a_package(faulty: Injector) -> None:
    for fault in faulty.faults(["kill"]):
        if fault.command.name == "program":
            assert faulty.inject(fault) == [], fault


def test_a_limit_of_the_file_size_is_one_line_that_names_the_file(faulty: Injector) -> None:
    faulty.faults([])
    for command in faulty.commands:
        for limit in (600, 4096, 20000):
            faulty.reset(command)
            answer = faulty.run(command, file_limit=limit)
            if answer["status"] == 0:  # no file is as long
                assert limit > 4096
                continue
            assert answer["status"] == 1
            (line,) = messages(answer["stderr"])
            assert line.endswith(": File too large")
            assert str(faulty.root) in line
            assert faulty.state(command) == ("old" if command.old else "absent")
            assert faulty.entries() == (["p"] if command.old else [])


def test_the_library_disturbs_what_it_says(faulty: Injector) -> None:
    command = faulty.commands[0]
    faulty.faults([])
    faulty.reset(command)
    assert faulty.run(command, 2, KINDS["kill"])["status"] == -9
    faulty.reset(command)
    answer = faulty.run(command, 2, KINDS["ENOSPC"])
    assert (answer["status"], answer["stderr"].endswith("No space left on device\n")) == (1, True)
    assert faulty.calls[command].count("rename") == 1  # a new package gets its name once
