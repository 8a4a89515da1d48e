"""The two files of a package that a host executes: the WGSL module and the execution program."""

from collections.abc import Callable

from llq_format.metadata import Metadata
from llq_format.webgpu.module import kernel_sections, write_module
from llq_format.webgpu.planner import CHUNK, plan
from llq_format.webgpu.sizes import KVCache


def module_bytes() -> bytes:
    """Return `<stem>.wgsl`: it is the same for all packages."""
    return write_module(kernel_sections()).encode()


def program_maker(*, chunk: int = CHUNK, kv_cache: KVCache = "f16") -> Callable[[Metadata], bytes]:
    """Return a function from metadata to program.json, for `PackageWriter` and `attach`.

    The function raises UnplannableError where no program can be made.
    """

    def make(metadata: Metadata) -> bytes:
        return plan(metadata, chunk=chunk, kv_cache=kv_cache).to_bytes()

    return make
