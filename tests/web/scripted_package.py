"""A package whose model says a text known beforehand, with a program, for pages to load."""

from pathlib import Path

from llq_format.attachment import attach
from llq_format.webgpu.package_files import ProgramOptions, module_bytes, program_maker
from vectors.cases.tokenization import BEGIN, BPE, END, START
from vectors.kit.script import Script, package_of, said

PROMPT = "hello"
# é, 日 and 🦙 as bytes, not as the tokens that merges would make of them: characters come in pieces
PATH = (
    *(BPE.special_id(START), *BPE.encode(PROMPT), *BPE.encode(" wor"), *b"ld ", *"é,日-🦙!\n".encode()),
    BPE.special_id(END),
)
SCRIPT = Script(BPE, PATH, BEGIN)
TEXT = " world é,日-🦙!\n"
"""What the model puts behind `PROMPT`."""


def scripted_package(directory: Path) -> Path:
    """Write the package and return its path."""
    prompt = (BPE.special_id(BEGIN), *BPE.encode(PROMPT))
    if BPE.decode(said(SCRIPT, prompt)) != TEXT:
        raise ValueError("the model says another text")
    package = directory / "scripted"
    package.mkdir()
    for name, data in package_of(SCRIPT).seal().files.items():
        (package / name).write_bytes(data)
    attach(package, module_bytes(), program_maker(ProgramOptions(32, "f16")))
    return package
