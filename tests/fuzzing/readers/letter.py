"""The reader of the kit, which follows the text of the specification and shares no code with the others."""

import traceback
from pathlib import Path

from tests.fuzzing.package import Package
from tests.fuzzing.readers.verdict import Verdict
from vectors.kit.reading.first_error import first_error


class LetterReader:
    """`vectors.kit.reading`, in this process."""

    def __call__(self, package: Package) -> Verdict:
        """Return the verdict on a package."""
        directory = {name: entry if isinstance(entry, bytes) else None for name, entry in package.items()}
        try:
            return Verdict(first_error(directory))
        except Exception as error:  # noqa: BLE001  # any crash is a verdict
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return Verdict(None, crash=f"{type(error).__name__} in {Path(frame.filename).name}, {frame.name}")
