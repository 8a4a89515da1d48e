"""The reference implementation as a runtime."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import llq_format
from conformance.adapter import Info, Verdict


def _version() -> str:
    try:
        return version("llq-format")
    except PackageNotFoundError:  # run from a source tree
        return ""


class Reference:
    """Adapts the public interface of `llq_format`."""

    capabilities = frozenset({"decode", "reject"})
    info = Info("llq-format", _version(), "Python")

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor."""
        with llq_format.open(package) as opened:
            return opened.get_tensor(tensor)

    def validate(self, package: Path) -> Verdict:
        """Return the rules of all findings, in their order."""
        findings = llq_format.validate(package)
        rules = {
            severity: [f.rule for f in findings if f.severity == severity]
            for severity in ("error", "warning")
        }
        return Verdict(tuple(rules["error"]), tuple(rules["warning"]))

    def close(self) -> None:
        """Hold nothing."""
