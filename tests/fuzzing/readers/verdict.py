"""What a reader says of a package."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule of the first error, None for a conforming package, or how the reader crashed.

    codes: the kinds of all findings, where the reader reports them; new ones make a package interesting.
    """

    rule: str | None
    crash: str | None = None
    codes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the verdict in a few words."""
        return f"crash: {self.crash}" if self.crash else self.rule or "valid"
