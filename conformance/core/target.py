"""Who was asked, as the command line says it: what a command has to repeat to ask again."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """A runtime, or an exporter with what `--exporter-claims` says, if it does, and who judges packages."""

    spec: str = "reference"
    option: str = "runtime"
    claims: str = ""
    judge: str = "reference"

    @property
    def exporting(self) -> bool:
        """Whether an exporter was asked."""
        return self.option == "exporter"

    def arguments(self) -> str:
        """Return the options, quoted for a shell."""
        options = {self.option: self.spec}
        if self.exporting and self.claims:
            options["exporter-claims"] = self.claims
        if self.exporting and self.judge != "reference":
            options["runtime"] = self.judge
        return " ".join(f"--{name}={shlex.quote(value)}" for name, value in options.items())
