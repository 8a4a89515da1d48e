"""The target of a run, as the options of the command line name it."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """A runtime; or an exporter with its claims, if any, and the runtime that validates its packages."""

    spec: str = "reference"
    option: str = "runtime"
    claims: str = ""
    judge: str = "reference"

    @property
    def exporting(self) -> bool:
        """Whether the target is an exporter."""
        return self.option == "exporter"

    def arguments(self) -> str:
        """Return the options, quoted for a shell."""
        options = {self.option: self.spec}
        if self.exporting and self.claims:
            options["exporter-claims"] = self.claims
        if self.exporting and self.judge != "reference":
            options["runtime"] = self.judge
        return " ".join(f"--{name}={shlex.quote(value)}" for name, value in options.items())
