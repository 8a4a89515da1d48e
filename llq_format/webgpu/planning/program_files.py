"""The two files of a package that an executor needs: the WGSL module and the execution program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llq_format.metadata.metadata import Metadata
from llq_format.validation.program import MAX_BYTES
from llq_format.webgpu.planning.module import kernel_sections, write_module
from llq_format.webgpu.planning.planner import CHUNK, UnplannableError, plan
from llq_format.webgpu.planning.sizes import KVCache


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """How a program is planned: the greatest number of tokens of one prefill, and what the KV cache holds."""

    chunk: int = CHUNK
    kv_cache: KVCache = "f16"


PROGRAM = ProgramOptions()
"""What packages have unless told otherwise."""


def module_bytes() -> bytes:
    """Return `<stem>.wgsl`: it is the same for all packages."""
    return write_module(kernel_sections()).encode()


def program_maker(options: ProgramOptions = PROGRAM) -> Callable[[Metadata], bytes]:
    """Return a function from metadata to program.json, for `PackageWriter` and `attach`.

    The function raises UnplannableError where no program can be made.
    """

    def make(metadata: Metadata) -> bytes:
        data = plan(metadata, chunk=options.chunk, kv_cache=options.kv_cache).to_bytes()
        if len(data) > MAX_BYTES:
            raise UnplannableError(f"the program would have {len(data)} bytes, and may have {MAX_BYTES}")
        return data

    return make


def package_files(options: ProgramOptions | None) -> dict[str, Any]:
    """Return the arguments of `PackageWriter` for module and program; none for None."""
    return {} if options is None else {"module": module_bytes(), "program": program_maker(options)}
