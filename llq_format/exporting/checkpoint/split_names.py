"""Names of the GGUF files of one model: NAME-00001-of-0000N.gguf and so on."""

import re
from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import CheckpointError

_NAME = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.gguf)", re.IGNORECASE)


def name_without_part(name: str) -> str:
    """Return the name of a file without the number of its part."""
    match = _NAME.fullmatch(name)
    return name if match is None else f"{match['stem']}{match['suffix']}"


def parts(path: Path) -> list[Path]:
    """Return the files of a model in order, given any of them; raises CheckpointError for a missing file."""
    files = [path.with_name(name) for name in part_names(path.name)]
    if len(files) > 1 and path not in files:
        raise CheckpointError(f"{path}: its name denotes none of {len(files)} parts: rename the file")
    for file in files:
        if len(files) > 1 and not file.is_file():
            raise CheckpointError(
                f"{file}: not found, but {path.name} is one of {len(files)} files: download it"
            )
    return files


def part_names(name: str) -> list[str]:
    """Return the names of all files of the model that has a file of that name, in order."""
    match = _NAME.fullmatch(name)
    if match is None or int(match["count"]) < 2:
        return [name]
    return [
        f"{match['stem']}-{number:05d}-of-{match['count']}{match['suffix']}"
        for number in range(1, int(match["count"]) + 1)
    ]
