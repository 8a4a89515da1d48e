"""The findings of a package as text: findings that differ only in their place are folded and counted."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from llq_format.cli.failures import print_finding
from llq_format.cli.terminal import print_fields, print_line
from llq_format.metadata.findings import Finding

MOST_FINDINGS = 100
"""Maximum number of findings that are printed for a package, where identical findings count once."""

_MOST_PLACES = 8


def print_findings(console: Console, findings: Sequence[Finding], lead: str, most: int) -> None:
    """Print up to `most` findings in order, each kind once, and the number of the omitted findings.

    lead: text before each finding, such as the path of the package.
    """
    groups: dict[tuple[str, str, str, str], list[Finding]] = {}
    for finding in findings:
        key = (finding.rule, finding.code, finding.found, finding.expected)
        groups.setdefault(key, []).append(finding)
    kinds = list(groups.values())
    for first, *others in kinds[:most]:
        print_finding(console, first, lead)
        if others:
            places = ", ".join(str(finding.where) for finding in others[:_MOST_PLACES])
            remaining = len(others) - _MOST_PLACES
            ending = f" and {remaining:,} more" if remaining > 0 else ""
            print_fields(console, [(f"identical at {len(others):,} other places", f"{places}{ending}")])
    omitted = Counter((first.rule, first.code) for first, *others in kinds[most:] for _ in (first, *others))
    if omitted:
        counts = ", ".join(f"{count:,} × {rule} ({code})" for (rule, code), count in omitted.most_common())
        print_line(console, f"{lead}{omitted.total():,} findings omitted (--max-findings {most}): {counts}")
