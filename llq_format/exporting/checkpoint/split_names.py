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
    match = _NAME.fullmatch(path.name)
    if match is None or int(match["count"]) < 2:
        return [path]
    count = int(match["count"])
    if not 1 <= int(match["number"]) <= count:
        raise CheckpointError(f"{path}: part {int(match['number'])} of {count}: rename the file")
    files = [
        path.with_name(f"{match['stem']}-{number:05d}-of-{match['count']}{match['suffix']}")
        for number in range(1, count + 1)
    ]
    for file in files:
        if not file.is_file():
            raise CheckpointError(f"{file}: not found, but {path.name} is one of {count} files: download it")
    return files
