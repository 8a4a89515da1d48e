"""`spec/rules.md`, generated from the registry by `python -m llq_format.metadata.rules_page`."""

import re
import sys
from functools import cache

from llq_format.metadata.rules import Rule, registry
from llq_format.metadata.specification import specification_path

_HEAD = """# Rules

This page is generated from `rules.json` by `python -m llq_format.metadata.rules_page`.
Stages and rules are listed in the order of checking.
The first error of a package ([Validation](validation.md)) is the violation of the rule that comes first here.
"""
_STAGE_WORDS = {
    "decode": "What bytes mean. No package can violate these rules by its bytes alone.",
    "compute": "What runtimes compute.",
    "behaviour": "What readers and writers do.",
    "interface": "What the JavaScript interface does.",
}


@cache
def chapters() -> dict[str, str]:
    """Return the chapter file (`packing.md`) that states each rule, by rule id."""
    chapters: dict[str, str] = {}
    for path in sorted(specification_path("README.md").parent.glob("*.md")):
        for rule_id in re.findall(
            r"^\*\*\[(LLQ-[A-Z]+-\d+)\]\*\*", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            chapters[rule_id] = path.name
    return chapters


def render() -> str:
    """Return the page."""
    lines = [_HEAD]
    stage = ""
    for rule in registry().values():
        if rule.stage != stage:
            stage = rule.stage
            lines.append(f"## {stage}\n")
            if stage in _STAGE_WORDS:
                lines.append(_STAGE_WORDS[stage] + "\n")
            lines.append(
                "| rule | kind | sentence | remedy | severity | classes |\n|---|---|---|---|---|---|"
            )
        lines.append(_row(rule))
        if rule is _last_of_stage(stage):
            lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _last_of_stage(stage: str) -> Rule:
    return [rule for rule in registry().values() if rule.stage == stage][-1]


def _row(rule: Rule) -> str:
    cells = [
        f"[{rule.id}]({chapters()[rule.id]})",
        rule.kind,
        rule.sentence,
        rule.remedy,
        rule.severity,
        ", ".join(rule.classes),
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    sys.stdout.write(render())
