"""Mutants of validators: for every rule that a package can break, one that does not check it."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from llq_format.metadata import schema
from llq_format.metadata.findings import Finding, LLQError
from llq_format.package import reader
from llq_format.validation import text
from llq_format.validation.payload import RawValues

from ...core.rules import registry
from ...core.runtime import Verdict
from ...runtimes import reference
from .mutant import Mutant, add, mutant
from .seam import Mutate, Seam

validate: Any = import_module("llq_format.validation.validate")
Drop = Callable[[Finding], bool]

ENOUGH = 1 << 25
"""How much of a file of any size is read where its size is not checked."""

STAGES = ("read", "json", "version", "schema", "canonical", "model", "tensors", "parts", "files", "shards")
CHECKED = frozenset({*STAGES, "hashes", "payload", "program"})
"""The stages whose rules a package can break."""

SEAMS: tuple[tuple[Any, str], ...] = (
    (text, "check_version"),
    (schema, "check"),
    (text, "check_canonical"),
    *((module, name) for module in (validate, reader) for name in ("check_index", "check_directory")),
    *((module, "check_preamble") for module in (validate, reader)),
    *((validate, f"check_{name}") for name in ("part_layout", "part_hash", "file_hash", "blocks")),
    (validate, "check_execution"),
    (reader, "check_file_hash"),
    (RawValues, "findings"),
)
"""Functions of the library that return findings, of `validate` and of the reader alike."""


def blind(seam: Seam, drop: Drop) -> None:  # noqa: C901 - a small function for each kind of seam
    """Overlook findings where they are made, so that what follows goes on as if they were none."""

    def mutate(check: Callable[..., Any]) -> Callable[..., list[Finding]]:
        return lambda *arguments: [finding for finding in check(*arguments) if not drop(finding)]

    def parse(original: Callable[[bytes], tuple[Any, list[Finding]]]) -> Callable[[bytes], Any]:
        def parsed(data: bytes) -> tuple[Any, list[Finding]]:
            value, findings = original(data)
            return value, [finding for finding in findings if not drop(finding)]

        return parsed

    def metadata(original: Callable[..., bytes]) -> Callable[..., bytes]:
        def tolerant_read(directory: Any, most: int) -> bytes:
            try:
                return original(directory, most)
            except LLQError as error:
                path = directory / "metadata.json"
                if not drop(error.finding) or not path.is_file():
                    raise
                with path.open("rb") as file:  # a link is followed
                    return bytes(file.read(ENOUGH))

        return tolerant_read

    def tolerant_text(original: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
        def tolerant_read(data: bytes) -> Any:
            try:
                return original(data)
            except (AttributeError, KeyError, TypeError, ValueError):  # it goes on with what it let pass
                return None, []

        return tolerant_read

    def contents(original: Callable[..., list[Finding]]) -> Callable[..., list[Finding]]:
        def tolerant_check(*arguments: Any) -> list[Finding]:
            try:
                return [finding for finding in original(*arguments) if not drop(finding)]
            except (IndexError, OSError):  # what it did not check stands in its way: it sees no more
                return []

        return tolerant_check

    for owner, name in SEAMS:
        seam.wrap(owner, name, mutate)
    for name in ("_contents", "_file_findings", "_shard_findings"):
        seam.wrap(validate, name, contents)
    seam.wrap(text, "parse", parse)
    for module in (validate, reader):
        seam.wrap(module, "read_metadata", metadata)
        seam.wrap(module, "check_text", tolerant_text)


def overlooking(drop: Drop) -> Mutate:
    """Return how the reference comes to overlook findings."""
    return partial(blind, drop=drop)


def _of(rule: str) -> Drop:
    return lambda finding: finding.rule == rule


for _rule, _entry in registry().items():
    if _entry.stage in CHECKED and _rule != "LLQ-PKG-10":
        _short = _rule.removeprefix("LLQ-")
        add(
            Mutant(
                f"unchecked-{_short.lower()}",
                f"{_rule} not checked",
                _rule,
                ("refuse",),
                overlooking(_of(_rule)),
                overlooks=_of(_rule),
            )
        )


def _verdict(seam: Seam, change: Callable[[Verdict], Verdict]) -> None:
    """Change what is said of every package."""

    def mutate(original: Callable[..., Verdict]) -> Callable[..., Verdict]:
        return lambda self, package: change(original(self, package))

    seam.wrap(reference.Reference, "validate", mutate)


@mutant("every package accepted", "READ-1", "refuse")
def accepts_everything(seam: Seam) -> None:
    _verdict(seam, lambda _: Verdict())


@mutant("every package refused", "PKG-1", "accept")
def refuses_everything(seam: Seam) -> None:
    _verdict(seam, lambda verdict: Verdict(verdict.rules or ("LLQ-PKG-1",)))


@mutant("refusals without a rule", "READ-1", "refuse")
def names_no_rule(seam: Seam) -> None:
    _verdict(seam, lambda verdict: Verdict((), (), refused=bool(verdict.rules)))


@mutant("every refusal for LLQ-PKG-1", "READ-1", "refuse")
def names_one_rule(seam: Seam) -> None:
    _verdict(seam, lambda verdict: Verdict(verdict.rules and ("LLQ-PKG-1",)))


@mutant("a warning taken for an error", "PKG-10", "accept")
def warnings_refused(seam: Seam) -> None:
    _verdict(seam, lambda verdict: Verdict(verdict.rules + verdict.warnings))


@mutant("findings in reverse order", "READ-1", "refuse")
def last_fault_first(seam: Seam) -> None:
    _verdict(seam, lambda verdict: Verdict(verdict.rules[::-1], verdict.warnings))


@mutant("findings in alphabetical order of their rules", "READ-1", "refuse")
def faults_by_name(seam: Seam) -> None:
    _verdict(seam, lambda verdict: Verdict(tuple(sorted(verdict.rules)), verdict.warnings))


@mutant("findings about hashes before all others", "READ-1", "refuse")
def hashes_first(seam: Seam) -> None:
    def hashes(verdict: Verdict) -> Verdict:
        return Verdict(tuple(sorted(verdict.rules, key=lambda rule: "HASH" not in rule)), verdict.warnings)

    _verdict(seam, hashes)
