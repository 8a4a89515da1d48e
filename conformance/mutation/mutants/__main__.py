"""List the mutants, all or those with a word in name, rule, check or title.

`python -m conformance.mutation.mutants [WORD]`.
"""

import sys

from . import MUTANTS


def main(words: list[str]) -> int:
    """Write a line for each mutant that has all the words, and return the exit status."""
    lines = [
        f"{mutant.name:34} {mutant.rule:14} {mutant.check:12} {mutant.title}\n" for mutant in MUTANTS.values()
    ]
    selection = [line for line in lines if all(word.lower() in line.lower() for word in words)]
    sys.stdout.writelines(selection)
    return 0 if selection else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
