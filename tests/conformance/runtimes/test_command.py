"""The JSON-lines protocol: what adapters do wrong is contained, told apart, and told clearly."""

import json
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from conformance.core.runtime import BrokenAdapter, Declined, Errored, Info, TimedOut, Unavailable, Verdict
from conformance.runtimes import command, messages
from conformance.runtimes.command import STARTUP, CommandRuntime
from conformance.runtimes.messages import Message, MessageError
from conformance.runtimes.process import Process
from tests.support.processes import alive, wait_for_end
from tests.support.repository import ROOT
from tests.support.timeouts import SHORT, seconds, short_limit, wait_until

PACKAGE = Path("/nowhere")

ADAPTER = """
import json, os, sys, time

def hello(request):
    return {"op": "hello", "protocol": 1, "name": "fake", "version": "1", "language": "Python",
            "capabilities": ["decode", "reject"]}

def decode(request):
    import numpy as np
    np.save(request["output"], np.arange(6, dtype="<f4").reshape(2, 3))
    return {"id": request["id"], "ok": True}

def validate(request):
    verdict = {"valid": False, "rules": ["LLQ-REC-1"], "warnings": ["LLQ-PKG-10"]}
    return {"id": request["id"], "ok": True, **verdict}

def bye(request):
    sys.exit(0)

#CHANGES#

print("up", file=sys.stderr, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    answer = globals()[request["op"]](request)
    print(json.dumps(answer) if isinstance(answer, dict) else answer, flush=True)
"""
"""An adapter that is right, and has a place where it can be made wrong."""

Start = Callable[..., CommandRuntime]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Provide a function that starts the adapter with some functions of it replaced."""
    started: list[CommandRuntime] = []

    def start_(changes: str = "", timeout: float = seconds(30)) -> CommandRuntime:
        script = tmp_path / "adapter.py"
        script.write_text(ADAPTER.replace("#CHANGES#", textwrap.dedent(changes)))
        started.append(CommandRuntime(f"{sys.executable} {script}", timeout))
        return started[-1]

    yield start_
    for runtime in started:
        runtime.close()


def test_a_right_adapter(start: Start) -> None:
    runtime = start()
    assert runtime.capabilities == {"decode", "reject"}
    assert runtime.info == Info("fake", "1", "Python")
    np.testing.assert_array_equal(runtime.decode(PACKAGE, "w"), np.arange(6, dtype=np.float32).reshape(2, 3))
    assert runtime.validate(PACKAGE) == Verdict(("LLQ-REC-1",), ("LLQ-PKG-10",), refused=True)


def test_the_handshake_declares_cache_extensions_and_device(start: Start) -> None:
    runtime = start("""
    def hello(request):
        return {"op": "hello", "protocol": 1, "name": "fake", "version": "1", "language": "Python",
                "capabilities": ["logits"], "kv_cache": "f16", "extensions": ["LLQ_attention_affine"],
                "device": "a card, its driver"}
    """)
    device = "a card, its driver"
    assert runtime.info == Info("fake", "1", "Python", "f16", ("LLQ_attention_affine",), device)


def test_one_process_answers_all(start: Start) -> None:
    runtime = start(
        'def decode(request): return {"id": request["id"], "ok": False, "error": str(os.getpid())}'
    )
    assert pid(runtime) == pid(runtime)


def pid(runtime: CommandRuntime) -> str:
    with pytest.raises(Declined) as caught:
        runtime.decode(PACKAGE, "w")
    return str(caught.value)


def test_an_error_message_is_reported_with_the_end_of_standard_error(start: Start, tmp_path: Path) -> None:
    """The adapter answers once the suite has read its standard error."""
    signal = tmp_path / "read"
    runtime = start(f"""
        def decode(request):
            print("looking for", request["tensor"], file=sys.stderr, flush=True)
            while not os.path.exists({str(signal)!r}): time.sleep(0.01)
            return {{"id": request["id"], "ok": False, "error": "there is no such tensor"}}
    """)
    assert runtime.capabilities
    adapter = runtime._process  # noqa: SLF001 - what it has read cannot be seen otherwise
    assert isinstance(adapter, Process)

    def allow_the_answer() -> None:
        wait_until(lambda: "looking for" in adapter.last_words())
        signal.touch()

    watcher = Thread(target=allow_the_answer)
    watcher.start()
    with pytest.raises(Declined, match=r"^there is no such tensor$") as caught:
        runtime.decode(PACKAGE, "embedding")
    watcher.join()
    assert "looking for embedding" in caught.value.detail


def test_a_hang_is_ended_and_the_next_request_starts_again(start: Start) -> None:
    runtime = start("def decode(request): time.sleep(3600)")
    assert runtime.capabilities
    message = rf"no answer to 'decode' within {SHORT} s; does the adapter flush standard output\?"
    with short_limit(runtime), pytest.raises(TimedOut, match=message):
        runtime.decode(PACKAGE, "w")
    assert runtime.validate(PACKAGE).rules == ("LLQ-REC-1",)


@pytest.mark.parametrize(
    ("death", "message"),
    [
        ("sys.exit(3)", "the process ended during 'decode', exit status 3"),
        ("os.abort()", "the process ended during 'decode', killed by signal 6"),
        ("raise RuntimeError('lost')", "the process ended during 'decode', exit status 1"),
    ],
)
def test_a_crash_is_not_an_answer(start: Start, death: str, message: str) -> None:
    runtime = start(f"def decode(request): {death}")
    with pytest.raises(Errored, match=f"^{message}$") as caught:
        runtime.decode(PACKAGE, "w")
    assert not isinstance(caught.value, Declined | BrokenAdapter)
    assert "lost" not in death or "RuntimeError: lost" in caught.value.detail
    assert runtime.validate(PACKAGE).rules == ("LLQ-REC-1",)


BROKEN = {
    "print": (
        "print('debug: here')",
        "it wrote 'debug: here' to standard output, which is reserved for the protocol",
    ),
    "no object": ("return '[1, 2]'", r"it wrote '\[1, 2\]' to standard output"),
    "another id": (
        'return {"id": 999, "ok": True}',
        "it answered request 999, expected an answer to request 1",
    ),
    "no id": ('return {"ok": True}', "decode.response: 'id' is a required property"),
    "ok a string": ('return {"id": 1, "ok": "yes"}', "decode.response: /ok: True was expected"),
    "more": ('return {"id": 1, "ok": True, "took": 3}', "Additional properties are not allowed"),
    "no text": ('return {"id": 1, "ok": False}', "error.response: 'error' is a required property"),
    "no file": ('return {"id": 1, "ok": True}', "but there is no file at `output`"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_adapter_is_called_so(start: Start, case: str) -> None:
    body, message = BROKEN[case]
    end = "" if body.startswith("return") else "; return {'id': request['id'], 'ok': True}"
    runtime = start(f"def decode(request): {body}{end}")
    with pytest.raises(BrokenAdapter, match=f"^the adapter is broken: .*{message}"):
        runtime.decode(PACKAGE, "w")
    assert runtime.validate(PACKAGE).rules == ("LLQ-REC-1",)


ARRAYS = {
    "float64": ("np.save(o, np.zeros((2, 2)))", "the descr of its .npy is '<f8', expected '<f4'"),
    "float16": ("np.save(o, np.zeros(2, '<f2'))", "the descr of its .npy is '<f2', expected '<f4'"),
    "big-endian": ("np.save(o, np.zeros(2, '>f4'))", "the descr of its .npy is '>f4', expected '<f4'"),
    "Fortran": ("np.save(o, np.zeros((2, 3), '<f4', order='F'))", "its .npy is in Fortran order"),
    "text": ("open(o, 'w').write('1.0 2.0')", "the file at `output` is not a .npy file"),
    "empty": ("open(o, 'w')", "the file at `output` is not a .npy file"),
    "short": (
        "np.save(o, np.zeros((2, 3), '<f4')); os.truncate(o, os.path.getsize(o) - 4)",
        r"its .npy has 20 bytes of data where its shape \[2, 3\] needs 24",
    ),
    "pickled": ("np.save(o, np.array([{}], object))", r"the descr of its .npy is '\|O', expected '<f4'"),
    "version 3": (
        "np.lib.format.write_array(open(o, 'wb'), np.zeros(2, '<f4'), (3, 0))",
        "the version of its .npy is 3.0, expected 1.0 or 2.0",
    ),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_that_is_not_as_agreed(start: Start, case: str) -> None:
    write, message = ARRAYS[case]
    runtime = start(f"""
        import numpy as np
        def decode(request):
            o = request["output"]
            {write}
            return {{"id": request["id"], "ok": True}}
    """)
    with pytest.raises(BrokenAdapter, match=f"^the adapter is broken: {message}"):
        runtime.decode(PACKAGE, "w")


HELLOS = {
    "another protocol": (
        'return {**answer, "protocol": 2}',
        "hello.response: /protocol: 1 was expected",
    ),
    "an unknown capability": (
        'return {**answer, "capabilities": ["decodes"]}',
        "hello.response: /capabilities/0: 'decodes' is not one of",
    ),
    "no capability": ('return {**answer, "capabilities": []}', "hello.response: /capabilities: "),
    "a death": ("raise ImportError('no module llq')", "the process ended during 'hello', exit status 1"),
    "a hang": ("time.sleep(3600)", f"no answer to 'hello' within {STARTUP * SHORT:g} s"),
}


@pytest.mark.parametrize("case", HELLOS)
def test_a_handshake_that_fails_is_the_adapters_fault(start: Start, case: str) -> None:
    body, message = HELLOS[case]
    limit = SHORT if case == "a hang" else seconds(30)
    runtime = start(f"right = hello\ndef hello(request): answer = right(request); {body}", limit)
    with pytest.raises(BrokenAdapter, match=f"^the adapter is broken: .*{message}"):
        _ = runtime.capabilities


def test_a_runtime_that_cannot_be_had_says_so_in_the_handshake(start: Start) -> None:
    runtime = start("""
        def hello(request): return {"op": "hello", "ok": False, "error": "no adapter,\\nas it were"}
    """)
    with pytest.raises(
        Unavailable, match=r"^the runtime is not available on this machine: no adapter, as it were$"
    ):
        _ = runtime.capabilities


SLOW = """
    right = hello
    def hello(request): return {**right(request), "timeout_scale": 8}
"""


def test_an_adapter_may_ask_for_longer_timeouts(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def ask(process: Process, request: Message, timeout: float) -> Message:
        limits.append(timeout)
        return answer(process, request, timeout)

    answer = Process.ask
    monkeypatch.setattr(Process, "ask", ask)
    runtime = start(SLOW)
    assert runtime.validate(PACKAGE).refused
    assert limits == [STARTUP * runtime.timeout, 8 * runtime.timeout]


def test_longer_timeouts_end_too(start: Start) -> None:
    runtime = start(SLOW + "    def validate(request): time.sleep(3600)")
    assert runtime.capabilities
    with (
        short_limit(runtime),
        pytest.raises(TimedOut, match=rf"no answer to 'validate' within {8 * SHORT:g} s"),
    ):
        runtime.validate(PACKAGE)


def test_the_timeout_scale_has_a_maximum(start: Start) -> None:
    runtime = start("right = hello\ndef hello(request): return {**right(request), 'timeout_scale': 21}")
    refusal = r"hello\.response: /timeout_scale: 21 is greater than the maximum"
    with pytest.raises(BrokenAdapter, match=refusal):
        _ = runtime.capabilities


def test_a_command_that_does_not_exist(tmp_path: Path) -> None:
    runtime = CommandRuntime(f"{tmp_path}/nothing here")
    with pytest.raises(BrokenAdapter, match="nothing here' cannot be started: "):
        _ = runtime.capabilities
    runtime.close()


def test_accepting_with_rules_contradicts_itself(start: Start) -> None:
    answer = '{"id": 1, "ok": True, "valid": True, "rules": ["LLQ-REC-1"]}'
    runtime = start(f"def validate(request): return {answer}")
    with pytest.raises(BrokenAdapter, match=r"validate.response: /rules: "):
        runtime.validate(PACKAGE)


def test_children_of_the_adapter_end_with_it(start: Start, tmp_path: Path) -> None:
    """A shell or a package manager between suite and runtime must not leave the runtime running."""
    pid = tmp_path / "pid"
    runtime = start(f"""
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        open({str(pid)!r}, "w").write(str(child.pid))
        def decode(request): child.wait()
    """)
    assert runtime.capabilities
    assert alive(int(pid.read_text()))
    with short_limit(runtime), pytest.raises(TimedOut):
        runtime.decode(PACKAGE, "w")
    wait_for_end(pid)


def test_bye_ends_the_process(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "GRACE", seconds(30))
    runtime = start(f"def bye(request): open({str(tmp_path / 'bye')!r}, 'w'); sys.exit(0)")
    runtime.validate(PACKAGE)
    runtime.close()
    assert (tmp_path / "bye").exists()


EXAMPLES: dict[str, dict[str, Any]] = {
    "hello.request": {"op": "hello", "protocol": 1},
    "hello.response": {
        "op": "hello",
        "protocol": 1,
        "name": "llq-rs",
        "version": "0.1",
        "language": "Rust",
        "capabilities": ["decode"],
    },
    "hello.refusal": {"op": "hello", "ok": False, "error": "no WebGPU"},
    "decode.request": {"op": "decode", "id": 1, "package": "/p", "tensor": "w", "output": "/o.npy"},
    "decode.response": {"id": 1, "ok": True},
    "validate.request": {"op": "validate", "id": 1, "package": "/p"},
    "validate.response": {"id": 1, "ok": True, "valid": False, "rules": ["LLQ-REC-1"]},
    "activations.request": {
        "op": "activations",
        "id": 1,
        "input": "/i.npy",
        "format": "int8",
        "output": "/o.npy",
        "scales": "/s.npy",
    },
    "activations.response": {"id": 1, "ok": True},
    "matvec.request": {
        "op": "matvec",
        "id": 1,
        "package": "/p",
        "tensor": "w",
        "format": "int8",
        "input": "/i.npy",
        "output": "/o.npy",
    },
    "matvec.response": {"id": 1, "ok": True},
    "logits.request": {
        "op": "logits",
        "id": 1,
        "package": "/p",
        "tokens": [1, 2],
        "splits": [1, 1],
        "output": "/o.npy",
    },
    "logits.response": {"id": 1, "ok": True},
    "trace.request": {
        "op": "trace",
        "id": 1,
        "package": "/p",
        "tokens": [1, 2],
        "splits": [1, 1],
        "output": "/o.npy",
    },
    "trace.response": {"id": 1, "ok": True, "tensors": [{"name": "embedding", "shape": [2, 4]}]},
    "generate.request": {"op": "generate", "id": 1, "package": "/p", "tokens": [1], "max_tokens": 4},
    "generate.response": {"id": 1, "ok": True, "tokens": [7, 9]},
    "sample.request": {
        "op": "sample",
        "id": 1,
        "input": "/i.npy",
        "temperature": 0.5,
        "top_k": 0,
        "top_p": 1,
        "seed": "18446744073709551615",
        "position": 0,
        "count": 2,
    },
    "sample.response": {"id": 1, "ok": True, "tokens": [7, 9]},
    "adjust.request": {
        "op": "adjust",
        "id": 1,
        "input": "/i.npy",
        "temperature": 0.5,
        "top_k": 0,
        "top_p": 1,
        "seed": "7",
        "position": 0,
        "min_p": 0.05,
        "repetition_penalty": 1.5,
        "logit_bias": [[17, -2.5]],
        "sequence": [9, 17],
        "mask": None,
        "count": 2,
    },
    "adjust.response": {"id": 1, "ok": True, "tokens": [7, 9]},
    "tokenize.request": {"op": "tokenize", "id": 1, "package": "/p", "text": "a b"},
    "tokenize.response": {"id": 1, "ok": True, "ids": [1, 2], "decoded": "a b"},
    "api.request": {"op": "api", "id": 1, "url": "http://h/", "steps": [{"do": "load", "url": "package/"}]},
    "api.response": {"id": 1, "ok": True, "observed": [{"contextLength": 256, "progress": [], "late": 0}]},
    "error.response": {"id": 1, "ok": False, "error": "text"},
    "bye.request": {"op": "bye"},
}


def test_every_message_has_a_schema_and_an_example() -> None:
    files = {file.name.removesuffix(".schema.json") for file in messages.PROTOCOL.iterdir()}
    assert files == {*EXAMPLES, "report", "known-failures"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_schemas_accept_the_example_and_nothing_around_it(name: str) -> None:
    example = EXAMPLES[name]
    messages.conform(example, name)
    with pytest.raises(MessageError, match="Additional properties"):
        messages.conform({**example, "extra": 1}, name)
    for member in example:
        with pytest.raises(MessageError, match=r"required property"):
            messages.conform({key: value for key, value in example.items() if key != member}, name)


def test_the_guide_shows_the_messages_as_they_are() -> None:
    """Every message of ADAPTERS.md on a line of its own is valid."""
    guide = (ROOT / "conformance" / "ADAPTERS.md").read_text(encoding="utf-8")
    examples = [json.loads(line) for line in guide.splitlines() if line.startswith('{"')]
    for message in examples:
        assert any(messages.schema(name).is_valid(message) for name in EXAMPLES), message
    for name in EXAMPLES:
        assert any(messages.schema(name).is_valid(message) for message in examples), name


def test_a_request_is_one_line_for_every_reader() -> None:
    text = "a\nb\rc\x85d\u2028e\u2029f\vg\fh\x1ci é日"
    line = messages.encode({"op": "tokenize", "id": 1, "package": "/p", "text": text})
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line)["text"] == text
    assert "é日" in line.decode()
