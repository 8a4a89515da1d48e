"""The two files of a package that an executor needs: the WGSL module and the execution program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llq_format.metadata.metadata import Metadata
from llq_format.metadata.model import Model
from llq_format.validation.program import MAX_BYTES
from llq_format.webgpu.planning.module import kernel_sections, write_module
from llq_format.webgpu.planning.planner import CHUNK, UnplannableError, plan
from llq_format.webgpu.planning.sizes import KVCache


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """Options of the planner: maximum number of tokens of a prefill step, and type of the KV cache."""

    chunk: int = CHUNK
    kv_cache: KVCache = "f16"


PROGRAM = ProgramOptions()
"""The default options."""


def module_bytes(model: Model | None = None) -> bytes:
    """Return the text of `<stem>.wgsl`, the same for all models that require the same extensions."""
    return write_module(kernel_sections(affine=model is not None and bool(model.extensions()))).encode()


def program_maker(options: ProgramOptions = PROGRAM) -> Callable[[Metadata], bytes]:
    """Return a function from metadata to program.json, for `PackageWriter` and `attach`.

    The function raises UnplannableError if no program is possible.
    """

    def make(metadata: Metadata) -> bytes:
        data = plan(metadata, chunk=options.chunk, kv_cache=options.kv_cache).to_bytes()
        if len(data) > MAX_BYTES:
            raise UnplannableError(f"the program is {len(data)} bytes long (allowed: up to {MAX_BYTES})")
        return data

    return make


def package_files(options: ProgramOptions | None, model: Model | None = None) -> dict[str, Any]:
    """Return the arguments of `PackageWriter` for module and program; none for None."""
    return {} if options is None else {"module": module_bytes(model), "program": program_maker(options)}
