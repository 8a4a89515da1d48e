"""Tests take every time limit from tests/support/timeouts.py and measure no durations."""

import re

from tests.support.repository import ROOT

TESTS = ROOT / "tests"
AT_HOME = {
    *("support/timeouts.py", "support/hang_clock.py", "repository/test_time_limits.py"),
    *("fuzzing/__main__.py", "fuzzing/campaign.py"),  # a command that reports its speed
    *("fuzzing/targets/run.py", "fuzzing/targets/test_targets.py"),  # a slow refusal is what they look for
}
OWN_LIMIT = re.compile(
    r"\btimeout\s*=\s*\d|--answer-timeout[=\", ]+\d|\.(?:wait|join)\(\d"
    r"|set_default(?:_navigation)?_timeout\(\d"
    r"|\b(?:monotonic|perf_counter|process_time|thread_time)(?:_ns)?\(|\btime\.time\("
)


def test_no_test_has_a_limit_of_its_own_or_measures_time() -> None:
    files = {str(path.relative_to(TESTS)): path for path in TESTS.rglob("*.py")}
    lines = {
        f"{name}:{number}"
        for name, path in files.items()
        if name not in AT_HOME
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if OWN_LIMIT.search(line)
    }
    assert lines == set()
    assert files.keys() >= AT_HOME
