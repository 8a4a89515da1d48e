"""A package whose model generates a known text, with a program, for pages to load."""

from pathlib import Path

from llq_format.package.attach_program import attach
from llq_format.webgpu.planning.program_files import ProgramOptions, module_bytes, program_maker
from vectors.cases.api import PROMPT, SCRIPT, TEXT
from vectors.cases.tokenization import BEGIN, BPE
from vectors.kit.script import answer_ids, package_of

__all__ = ["PROMPT", "TEXT", "scripted_package"]


def scripted_package(directory: Path) -> Path:
    """Write the package and return its path."""
    prompt = (BPE.special_id(BEGIN), *BPE.encode(PROMPT))
    if BPE.decode(answer_ids(SCRIPT, prompt)) != TEXT:
        raise ValueError("the model generates another text")
    package = directory / "scripted"
    package.mkdir()
    for name, data in package_of(SCRIPT).seal().files.items():
        (package / name).write_bytes(data)
    attach(package, module_bytes(), program_maker(ProgramOptions(32, "f16")))
    return package
