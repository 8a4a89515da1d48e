"""A small model on the preferred adapter, and its profile, for tests of profiles."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import llq_format
from llq_format.synth import synth
from llq_format.webgpu.execution.device import Device
from llq_format.webgpu.execution.executor import Executor
from llq_format.webgpu.planning.module import kernel_sections
from llq_format.webgpu.planning.planner import plan
from llq_format.webgpu.profiling.profile import made_up_prompt, profile
from llq_format.webgpu.profiling.report import ProfileReport

PROMPT, TOKENS, REPETITIONS = 5, 3, 2


@contextmanager
def tiny_executor(geometry: str = "tiny", chunk: int = 4) -> Iterator[Executor]:
    """Provide an executor of a synthetic model, with the number of tokens that it prefills at once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "package"
        synth(geometry, path)
        with llq_format.open(path) as package:
            program = plan(package.metadata, chunk=chunk)
            device = Device(program, kernel_sections())
            yield Executor(package, program, device, context=32)


def profiled(executor: Executor, **options: Any) -> dict[str, Any]:
    """Return the profile of an executor as JSON."""
    options = {"repetitions": REPETITIONS, **options}
    return profile(executor, made_up_prompt(executor, PROMPT), TOKENS, **options).to_json()


@cache
def _measured() -> dict[str, Any]:
    with tiny_executor() as executor:
        return profiled(executor)


def measured() -> dict[str, Any]:
    """Return a copy of a profile that timestamps made."""
    return copy.deepcopy(_measured())


def elsewhere(**members: Any) -> ProfileReport:
    """Return that profile as of another device, with other members of the root."""
    value = measured()
    value["device"]["adapter"] = "Elsewhere 9000"
    return ProfileReport({**value, **members})
