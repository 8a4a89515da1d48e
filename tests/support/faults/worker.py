"""A process under the library of faults: it runs each command line in a forked child, so that runs are cheap.

Requests and answers are JSON lines. A request has `arguments`, `root`, `at`, `kind`, and an optional
`file_limit` in bytes; an answer has `status` as `subprocess` states it, `stderr`, and `calls`.
"""

import atexit
import ctypes
import json
import os
import resource
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import llq_format.exporting.export
from llq_format.cli import main
from llq_format.exporting.checkpoint import gguf_checkpoint, huggingface

_LOADED = (llq_format.exporting.export, huggingface, gguf_checkpoint)  # imported once, before the forks


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Run one command line in a child and describe how it ended."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as messages:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            os.dup2(out.fileno(), 1)
            os.dup2(messages.fileno(), 2)
            _run(request, writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            calls = pipe.read().split()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        messages.seek(0)
        return {"status": status, "stderr": messages.read().decode(), "calls": calls}


def _run(request: dict[str, Any], calls: int) -> None:
    """Run the command line as a process of its own would, and end the process."""
    status = 70
    library = ctypes.CDLL(None)
    library.fault_names.restype = ctypes.c_char_p
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    sys.argv = ["llq", *request["arguments"]]
    sys.stdin = Path(os.devnull).open()  # noqa: SIM115  # until the process ends
    if limit := request.get("file_limit"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        library.fault_arm(os.fsencode(request["root"]), request["at"], request["kind"])
        try:
            main()
            status = 0
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001  # the traceback is what a process would print
            sys.excepthook(*sys.exc_info())
            status = 1
        atexit._run_exitfuncs()  # noqa: SLF001  # os._exit skips them
        library.fault_count()
        os.write(calls, library.fault_names())
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)  # noqa: T201  # the answer
