"""From the argument of `--runtime` to a runtime: `reference`, `py:module:attr`, `cmd:command line`, a name.

`webgpu` is the WebGPU host of `llq_format`; `webgpu:adapter=NAME,variant=NAME,kv_cache=f16` chooses, each
as one likes. `mutant:NAME` and `equivalent:NAME` are the reference, made wrong or odd on purpose. Another
name is one under which an installed distribution offers a runtime, as an entry point of the group
`llq.runtimes`: an object with the methods of `adapter.Runtime`, or a class or function that makes one.
"""

from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from . import inprocess
from .adapter import Runtime
from .jsonlines import JsonLines

GROUP = "llq.runtimes"
REFERENCE = f"py:{__package__}.reference:Reference"

WEBGPU_OPTIONS = {"adapter", "variant", "kv_cache"}
"""What may stand behind `webgpu:`."""

KINDS = {"mutant": "mutants", "equivalent": "equivalents"}
"""Runtimes over the reference, by the kind of spec and the package that has a function `runtime` for them."""


class UnknownRuntimeError(ValueError):
    """The argument of `--runtime` is none that the suite understands."""


def find(spec: str, timeout: float) -> Runtime:
    """Return the runtime that a spec names; each of its answers may take `timeout` seconds."""
    if spec in (names := installed()):
        return inprocess.made(f"the entry point {spec}", names[spec].load, timeout)
    kind, _, target = (REFERENCE if spec == "reference" else spec).partition(":")
    if kind == "py" and ":" in target:
        return inprocess.load(target, timeout)
    if kind == "webgpu":
        return _webgpu(spec, target, timeout)
    if kind in KINDS:
        return _over_the_reference(kind, target, timeout)
    if kind == "cmd" and target.strip():
        try:
            return JsonLines(target, timeout)
        except ValueError as error:
            raise UnknownRuntimeError(f"--runtime={spec} is no command line: {error}") from error
    known = "reference, webgpu, py:module:attr, cmd:'command line', mutant:name, equivalent:name"
    found = (
        f"names installed in {GROUP} are: {', '.join(sorted(names))}" if names else f"{GROUP} has no names"
    )
    raise UnknownRuntimeError(f"--runtime={spec} is none of: {known}; {found}")


def _webgpu(spec: str, text: str, timeout: float) -> Runtime:
    """Return the WebGPU host, with options as in `adapter=lavapipe,kv_cache=f16`."""
    members = dict(member.partition("=")[::2] for member in text.split(",") if member)
    if set(members) - WEBGPU_OPTIONS or not all(members.values()):
        example = "webgpu:adapter=lavapipe,variant=portable,kv_cache=f16"
        raise UnknownRuntimeError(f"--runtime={spec}: options are as in {example}")
    if members.get("kv_cache", "f32") not in ("f16", "f32"):
        raise UnknownRuntimeError(f"--runtime={spec}: a KV cache is f16 or f32")
    if find_spec("wgpu") is None:
        raise UnknownRuntimeError(f"--runtime={spec} needs wgpu: pip install 'llq-format[webgpu]'")

    module = import_module(".webgpu", __package__)
    try:
        return inprocess.InProcess(module.WebGPU(**members), timeout)
    except module.DeviceError as error:
        raise UnknownRuntimeError(f"--runtime={spec}: {error}") from error


def _over_the_reference(kind: str, name: str, timeout: float) -> Runtime:
    """Return a mutant or an equivalent; what they need is loaded only then."""
    package = import_module(f".{KINDS[kind]}", __package__)
    try:
        return inprocess.InProcess(package.runtime(name), timeout)
    except LookupError as error:
        raise UnknownRuntimeError(f"--runtime={kind}:{name}: {error.args[0]}") from error


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of `GROUP` by name; those that would hide another kind of spec are left out."""
    found = entry_points(group=GROUP)
    return {entry.name: entry for entry in found if entry.name != "reference" and ":" not in entry.name}
