"""Whether processes that tests did not start themselves still run."""

from pathlib import Path

from tests.support.timeouts import wait_until


def alive(pid: int) -> bool:
    """Return whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_for_end(file: Path) -> None:
    """Wait until the process whose number a file holds has ended."""
    pid = int(file.read_text())
    wait_until(lambda: not alive(pid))
