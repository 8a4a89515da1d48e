"""The suite survives every adapter: it ends the adapter and its children, and reports what happened."""

import itertools
import json
import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from conformance.core.runtime import BrokenAdapter, Declined, Errored, Info, TimedOut, Verdict
from conformance.runtimes import answer_sizes, arrays, process
from conformance.runtimes.command import CommandRuntime
from conformance.runtimes.in_process import InProcessRuntime
from conformance.runtimes.process import LONGEST_LINE, STDERR_LINES, STDERR_WIDTH, UNREAD_LINES, Process
from tests.support.processes import alive, wait_for_end
from tests.support.timeouts import SHORT, seconds, short_limit, wait_until

PACKAGE = Path("/nowhere")

ADAPTER = """
import json, os, signal, subprocess, sys, time

def hello(request):
    return {"op": "hello", "protocol": 1, "name": "fake", "version": "1", "language": "Python",
            "capabilities": ["decode", "reject", "tokenize"]}

def validate(request):
    return {"id": request["id"], "ok": True, "valid": False, "rules": ["LLQ-REC-1"]}

def write(text):
    sys.stdout.write(text)
    sys.stdout.flush()

#CHANGES#

for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "bye":
        break
    write(json.dumps(globals()[request["op"]](request)) + "\\n")
"""

Start = Callable[..., CommandRuntime]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Provide a function that starts the adapter with some functions of it replaced."""
    started: list[CommandRuntime] = []

    def start_(changes: str = "") -> CommandRuntime:
        script = tmp_path / "adapter.py"
        script.write_text(ADAPTER.replace("#CHANGES#", textwrap.dedent(changes)))
        started.append(CommandRuntime(f"{sys.executable} {script}", seconds(30)))
        return started[-1]

    yield start_
    for runtime in started:
        runtime.close()


def goes_on(runtime: CommandRuntime) -> bool:
    return runtime.validate(PACKAGE).rules == ("LLQ-REC-1",)


CRASHES = {
    "in the middle of an answer": (
        'write(\'{"id": 1, "o\'); os.abort()',
        r"in the middle of its answer to 'decode', killed by signal 6: '\{\"id\": 1, \"o'$",
    ),
    "before the line feed": (
        'write(\'{"id": 1, "ok": true}\'); os._exit(0)',
        "in the middle of its answer to 'decode', exit status 0: ",
    ),
    "a segmentation fault": (
        "os.kill(os.getpid(), signal.SIGSEGV)",
        "ended during 'decode', killed by signal 11",
    ),
    "standard output closed": (
        "os.close(1); time.sleep(3600)",
        "ended during 'decode', closing its standard output",
    ),
    "a child holds the pipes": (
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)']); os._exit(7)",
        "ended during 'decode', exit status 7",
    ),
}


@pytest.mark.parametrize("case", CRASHES)
def test_crashes_are_reported_before_the_time_limit_and_contained(
    start: Start, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, message = CRASHES[case]
    if case == "standard output closed":  # it never ends, so the wait for its end may be short
        monkeypatch.setattr(process, "LEAVING", SHORT)
    runtime = start(f"def decode(request): {body}")
    assert goes_on(runtime)
    with pytest.raises(Errored, match=message.replace('id\\": 1', 'id\\": 1')) as caught:
        runtime.decode(PACKAGE, "w")
    assert not isinstance(caught.value, BrokenAdapter | Declined)
    assert goes_on(runtime)


def test_a_crash_at_the_start_reports_why(start: Start) -> None:
    runtime = start("import nowhere_to_be_found")
    with pytest.raises(BrokenAdapter, match="ended during 'hello', exit status 1") as caught:
        _ = runtime.capabilities
    assert "No module named 'nowhere_to_be_found'" in caught.value.detail


@pytest.mark.parametrize(
    ("beginning", "body"),
    [("", "while True: pass"), ("signal.signal(signal.SIGTERM, signal.SIG_IGN)", "time.sleep(3600)")],
)
def test_endless_loops_are_ended(start: Start, tmp_path: Path, beginning: str, body: str) -> None:
    pid = tmp_path / "pid"
    runtime = start(
        f"""
        open({str(pid)!r}, "w").write(str(os.getpid()))
        {beginning}
        def decode(request):
            {body}
        """
    )
    assert goes_on(runtime)
    with short_limit(runtime), pytest.raises(TimedOut, match=f"no answer to 'decode' within {SHORT} s"):
        runtime.decode(PACKAGE, "w")
    wait_for_end(pid)
    assert goes_on(runtime)


def test_a_goodbye_leaves_no_child_process(start: Start, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    runtime = start(
        f"""
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        open({str(pid)!r}, "w").write(str(child.pid))
        """
    )
    assert goes_on(runtime)
    assert alive(int(pid.read_text()))
    runtime.close()
    wait_for_end(pid)


def test_an_adapter_that_reads_nothing_blocks_nobody(start: Start) -> None:
    """The request is longer than any pipe holds."""
    runtime = start(
        """
        real = hello
        def hello(request):
            write(json.dumps(real(request)) + "\\n")
            time.sleep(3600)
        """
    )
    assert runtime.capabilities
    with short_limit(runtime), pytest.raises(TimedOut):
        runtime.tokenize(PACKAGE, "a" * 4_000_000)
    runtime.close()


GARBAGE = {
    "bytes": ("os.write(1, b'\\xff\\xfe\\x00\\n')", r"it wrote '\\ufffd|it wrote '"),
    "deep": ("write('[' * 200000 + '\\n')", r"it wrote '\[\["),
    "deep and closed": ("write('{\"id\": ' + '[' * 90000 + ']' * 90000 + '}\\n')", 'it wrote \'{"id"'),
    "a huge number": ("write('1' * 100000 + '\\n')", "it wrote '1111"),
    "a huge line": (
        "write('{\"id\": \"' + 'x' * (1 << 22) + '\"}\\n')",
        f"its response to 'decode' is longer than {LONGEST_LINE} bytes",
    ),
    "a huge member": (
        "write('{\"id\": \"' + 'x' * 900000 + '\"}\\n')",
        "a response does not match its schema",
    ),
    "without end": ("\n  while True: write('y\\n' * 1000)", "it wrote 'y' to standard output"),
    "half a character": (
        "write(json.dumps({'id': 2, 'ok': False, 'error': '\\ud800'}) + '\\n')",
        r"'\\ud800' is half a surrogate pair",
    ),
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_on_standard_output_is_quoted_briefly(start: Start, case: str) -> None:
    body, message = GARBAGE[case]
    runtime = start(f"def decode(request): {body}")
    assert goes_on(runtime)
    with pytest.raises(BrokenAdapter, match=message) as caught:
        runtime.decode(PACKAGE, "w")
    assert len(str(caught.value)) < 600
    assert goes_on(runtime)


def test_a_flood_between_requests_fills_no_memory(start: Start) -> None:
    """Unread data stays in the pipe, and the next request reports it."""
    runtime = start(
        """
        def decode(request):
            write(json.dumps({"id": request["id"], "ok": False, "error": "no"}) + "\\n")
            while True: write("debug " * 100 + "\\n")
        """
    )
    with pytest.raises(Declined):
        runtime.decode(PACKAGE, "w")
    adapter = runtime._process  # noqa: SLF001 - what it keeps cannot be seen otherwise
    assert isinstance(adapter, Process)
    wait_until(adapter._lines.full)  # noqa: SLF001
    assert adapter._lines.qsize() == UNREAD_LINES  # noqa: SLF001
    with pytest.raises(BrokenAdapter, match=r"it wrote 'debug .*' to standard output without a request"):
        runtime.validate(PACKAGE)
    assert goes_on(runtime)


def test_standard_error_is_bounded_and_printable(start: Start) -> None:
    runtime = start("""
        def decode(request):
            for i in range(1000):
                print(f"\\x1b[31mline {i}", "x" * 5000, file=sys.stderr)
            sys.exit(3)
    """)
    with pytest.raises(Errored) as caught:
        runtime.decode(PACKAGE, "w")
    lines = caught.value.detail.splitlines()
    assert lines[0] == "the last lines of standard error:"
    assert len(lines) == 1 + STDERR_LINES
    assert max(map(len, lines)) <= STDERR_WIDTH + 2
    assert "line 999" in lines[-1]
    assert caught.value.detail.replace("\n", "").isprintable()


def test_an_error_message_of_many_lines_is_reported_in_one_line(start: Start) -> None:
    runtime = start(
        'def decode(request): return {"id": request["id"], "ok": False, "error": "a\\n b" * 9999}'
    )
    with pytest.raises(Declined) as caught:
        runtime.decode(PACKAGE, "w")
    assert str(caught.value).startswith("a ba ba b")
    assert len(str(caught.value)) < 350


HEADER = "{{'descr': '<f4', 'fortran_order': False, 'shape': {}, }}"
ARRAYS: dict[str, tuple[str | bytes, str]] = {
    "a header cut short": (b"\x93NUMPY\x01\x00\x76\x00{'descr'", "is not a .npy file"),
    "no header": (b"\x93NUMPY\x01\x00", "is not a .npy file"),
    "a header that is no Python": (HEADER.format("((((((("), "is not a .npy file"),
    "a shape below zero": (
        HEADER.format("(-1, -4)") + "\0" * 16,
        "an expected array is at most",
    ),
    "a shape beyond all numbers": (
        HEADER.format(f"(0, {10**30})"),
        "an expected array is at most|is not a .npy file",
    ),
    "a header for Python 2": (HEADER.format("(1L,)") + "\0" * 4, "is not a .npy file"),
    "half of the data": (HEADER.format("(4,)") + "\0" * 8, "has 8 bytes of data where its shape"),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_are_not_whole(case: str, tmp_path: Path) -> None:
    contents, message = ARRAYS[case]
    if isinstance(contents, bytes):
        data = contents
    else:
        header, end, values = contents.partition("}")
        text = (header + end).ljust(117) + "\n"
        data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + values.encode()
    (tmp_path / "output.npy").write_bytes(data)
    with pytest.raises(BrokenAdapter, match=message):
        arrays.load(tmp_path / "output.npy", arrays.FLOAT32)


def test_an_answer_of_terabytes_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "output.npy"
    np.save(file, np.zeros(4, np.float32))
    data = file.read_bytes()
    data = data.replace(b"(4,)", b"(1099511627776,)").replace(b" " * 12 + b"\n", b"\n")
    file.write_bytes(data)
    os.truncate(file, 128 + (4 << 40))
    with pytest.raises(BrokenAdapter, match=r"an expected array is at most"):
        arrays.load(file, arrays.FLOAT32)


def metadata(directory: Path, rows: int, cols: int) -> Path:
    """Write what states the size of a tensor `w` and of a vocabulary, and no more."""
    tensors = [{"name": "w", "shape": [rows, cols]}]
    text = json.dumps({"model": {"vocab_size": rows}, "tensors": tensors})
    (directory / "metadata.json").write_text(text)
    return directory


GIBIBYTE = """
        def write_large(path):
            with open(path, "wb") as file:
                text = "{'descr': '<f4', 'fortran_order': False, 'shape': (268435456,), }".ljust(117) + "\\n"
                file.write(b"\\x93NUMPY\\x01\\x00" + len(text).to_bytes(2, "little") + text.encode())
                file.truncate(128 + (1 << 30))

        def decode(request):
            write_large(request["output"])
            return {"id": request["id"], "ok": True}

        matvec = logits = activations = decode
"""


@pytest.mark.parametrize("ask", ["decode", "matvec", "logits", "activations"])
def test_a_gibibyte_for_twenty_elements_is_refused_by_its_header(
    start: Start, tmp_path: Path, ask: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = start(GIBIBYTE)
    package = metadata(tmp_path, 5, 4)
    x = np.zeros((4, 5), np.float32)
    monkeypatch.setattr(np, "fromfile", lambda *_, **__: pytest.fail("the data was read"))
    questions: dict[str, Callable[[], Any]] = {
        "decode": lambda: runtime.decode(package, "w"),
        "matvec": lambda: runtime.matvec(package, "w", "binary16", x),
        "logits": lambda: runtime.logits(package, [0, 1, 2, 3], [4]),
        "activations": lambda: runtime.activations(x, "binary16"),
    }
    with pytest.raises(BrokenAdapter, match=r"shape \[268435456\], 268435456 elements; expected 20 elements"):
        questions[ask]()
    assert goes_on(runtime)


def test_a_small_array_of_a_wrong_shape_is_left_to_the_checks(tmp_path: Path) -> None:
    np.save(tmp_path / "output.npy", np.zeros(21, np.float32))
    assert arrays.load(tmp_path / "output.npy", arrays.FLOAT32, expected=20).shape == (21,)


@pytest.mark.parametrize("contents", ["", "{", "[]", '{"tensors": [{}]}', '{"tensors": 3, "model": 3}'])
def test_sizes_are_unknown_where_the_metadata_is_damaged(tmp_path: Path, contents: str) -> None:
    (tmp_path / "metadata.json").write_text(contents)
    sizes = answer_sizes.weights(tmp_path, "w"), answer_sizes.products(tmp_path, "w", 3)
    assert sizes == (None, None)
    assert answer_sizes.logits(tmp_path, 3) is None


@pytest.mark.parametrize(
    "answer",
    ['{"id": request["id"], "ok": True}', '{"id": request["id"], "ok": False, "error": "no"}'],
)
@pytest.mark.parametrize("levels", [1, 2])
def test_an_adapter_that_deletes_its_directory_is_named(start: Start, answer: str, levels: int) -> None:
    runtime = start(
        f"""
        import pathlib, shutil
        def decode(request):
            shutil.rmtree(pathlib.Path(request["output"]).parents[{levels - 1}])
            return {answer}
        """
    )
    for _ in range(2):  # the next request has a directory of its own
        with pytest.raises(BrokenAdapter, match="it deleted the directory for the files of the request"):
            runtime.decode(PACKAGE, "w")
        assert goes_on(runtime)


def test_an_adapter_that_forks_is_contained(start: Start, tmp_path: Path) -> None:
    """Children end with the adapter, and children that answer too are named."""
    pids = tmp_path / "pids"
    runtime = start(
        f"""
        def decode(request):
            for _ in range(5):
                if os.fork() == 0:
                    with open({str(pids)!r}, "a") as file:
                        file.write(str(os.getpid()) + "\\n")
                    break
            return {{"id": request["id"], "ok": False, "error": "no"}}
        """
    )
    with pytest.raises(Declined):
        runtime.decode(PACKAGE, "w")

    def ask_again() -> None:
        for _ in range(10):
            runtime.validate(PACKAGE)
            time.sleep(0.05)

    with pytest.raises(BrokenAdapter, match=r"standard output without a request|it answered request 1"):
        ask_again()
    wait_until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
    assert goes_on(runtime)


def test_control_characters_of_names_are_escaped() -> None:
    evil, escaped = "a\x1b[31m\u202eb", r"a\x1b[31m\u202eb"
    info = Info(evil, evil, evil)
    assert (info.name, info.version, info.language) == (escaped, escaped, escaped)
    assert str(info).isprintable()


def in_process(**members: Any) -> InProcessRuntime:
    fields = {"capabilities": {"decode", "reject"}, "info": Info("fake")}
    return InProcessRuntime(SimpleNamespace(**{**fields, **members}), seconds(30))


def test_a_runtime_in_this_process_may_not_end_it() -> None:
    def leave(*_: Any) -> Verdict:
        sys.exit(3)

    with pytest.raises(Errored, match="it exited with SystemExit: 3") as caught:
        in_process(validate=leave).validate(PACKAGE)
    assert not isinstance(caught.value, Declined)


def test_a_loop_in_this_process_is_ended() -> None:
    def loop(*_: Any) -> Verdict:
        for _i in itertools.count():
            pass
        raise AssertionError

    runtime = in_process(validate=loop)
    with short_limit(runtime), pytest.raises(TimedOut):
        runtime.validate(PACKAGE)


def test_a_timer_that_already_runs_continues() -> None:
    before = signal.setitimer(signal.ITIMER_REAL, 1000)
    try:
        in_process(validate=lambda *_: Verdict()).validate(PACKAGE)
        remaining, _ = signal.getitimer(signal.ITIMER_REAL)
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
    assert 900 < remaining <= 1000


@pytest.mark.parametrize("members", [{"info": {"name": "x"}}, {"info": None}, {"capabilities": 3}])
def test_a_runtime_in_this_process_identifies_itself(members: dict[str, Any]) -> None:
    with pytest.raises(
        BrokenAdapter, match=r"^the adapter is broken: (its info is of type|a runtime must have)"
    ):
        in_process(**members)
