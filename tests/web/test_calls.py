"""Calls of a model in Deno on a software adapter: errors of others on its device, aborts, long prompts."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.runtimes.javascript.deno import FLAGS
from tests.support.repository import WEB
from tests.support.timeouts import seconds
from tests.support.web.scripted_package import PROMPT, TEXT, scripted_package
from tests.support.web.serving import served

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(scripted_package(tmp_path_factory.mktemp("calls"))) as url:
        yield f"{url}model/"


@pytest.fixture(scope="module", params=["own", "shared"])
def seen(url: str, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Make all calls, on a device of the model or of the page: loading takes longest."""
    deno = shutil.which("deno")
    assert deno is not None, "deno is not on the path: pip install deno"
    process = subprocess.run(  # noqa: S603  # our own script
        [deno, "run", *FLAGS, str(WEB / "test" / "api" / "calls.mjs"), url, PROMPT, request.param],
        capture_output=True,
        text=True,
        timeout=seconds(300),
        check=False,
    )
    assert process.returncode == 0, process.stderr
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def test_an_error_of_others_between_calls_fails_none(seen: dict[str, Any]) -> None:
    assert seen["error between calls"] == TEXT


def test_an_error_of_others_during_a_call_fails_this_call_at_most(seen: dict[str, Any]) -> None:
    during, *following = seen["error during a call"]
    assert during in (TEXT, "error device")
    assert following == [TEXT, TEXT]


def test_error_scopes_of_the_page_catch_its_own_errors_alone(seen: dict[str, Any]) -> None:
    assert seen["scopes"] == [True, TEXT, "none is left open"]


@pytest.mark.parametrize("ms", [0, 1, 20, 60])
def test_an_answer_is_aborted_in_every_stage_and_the_next_is_complete(seen: dict[str, Any], ms: int) -> None:
    assert seen[f"aborted after {ms} ms"] == [True, "aborted", TEXT]


def test_a_profile_is_aborted_and_the_next_answer_is_complete(seen: dict[str, Any]) -> None:
    assert seen["profile aborted"] == ["enough", TEXT]


@pytest.mark.parametrize("letters", ["one letter", "many letters"])
def test_a_long_prompt_without_a_space_is_refused_without_being_encoded(
    seen: dict[str, Any], letters: str
) -> None:
    assert seen[f"long prompt of {letters}"] == ["error context", "error context", True]


def test_a_lost_device_of_the_models_own_is_opened_again(seen: dict[str, Any]) -> None:
    assert seen.get("device lost between calls", [TEXT, True]) == [TEXT, True]
