"""From the argument of `--runtime` to a runtime: `reference`, `py:module:attr`, `cmd:command line`, a name.

`webgpu` is the WebGPU executor of `llq_format`; `webgpu:adapter=NAME,variant=NAME,kv_cache=f16` chooses, each
as one likes. `node` and `deno` are the JavaScript runtime there; `node:variant=NAME,driver=FILE` chooses.
`browser:chromium` and `browser:firefox` are the JavaScript runtime in a browser of this machine,
`browser:wait` in one that somebody opens, with options as in `browser:wait,host=0.0.0.0,port=8000`.
An option with commas is in quotes, as in `browser:chromium,adapter=default,flags="--use-angle=vulkan"`.
Another name is one under which an installed distribution offers a runtime, as an entry point of the group
`llq.runtimes`: an object with the methods of `core.runtime.Runtime`, or a class or function that makes one.
"""

import re
import shlex
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

from ..core.runtime import Runtime
from . import in_process
from .command import CommandRuntime

GROUP = "llq.runtimes"
REFERENCE = f"py:{__package__}.reference:Reference"

SCRIPTED = {"node": "NodeRuntime", "deno": "DenoRuntime"}
"""Hosts of JavaScript other than browsers: the module of each, and its class."""

SCRIPT_OPTIONS = {"variant", "driver"}
"""The options of `node:` and `deno:`."""

WEBGPU_OPTIONS = {"adapter", "variant", "kv_cache"}
"""The options of `webgpu:`."""

BROWSERS = {
    "chromium": {"adapter", "flags", "driver", "thread"},
    "firefox": {"adapter", "flags", "driver", "thread"},
    "wait": {"host", "port", "certificate", "key", "thread"},
}
"""The browsers of `browser:`, with their options."""


_QUOTED = re.compile(r"""^(["'])(.*)\1$""", re.DOTALL)
_OPTION = re.compile(r"""(?:[^,"']|"[^"]*"|'[^']*'|["'])+""")
"""An option; commas in quotes are a part of it."""


class UnknownRuntimeError(ValueError):
    """The argument of `--runtime` is not valid."""


def find(spec: str, timeout: float) -> Runtime:  # a return for each kind
    """Return the runtime that a spec names; each of its answers may take `timeout` seconds."""
    if spec in (names := installed()):
        return in_process.make_runtime(f"the entry point {spec}", names[spec].load, timeout)
    kind, _, target = (REFERENCE if spec == "reference" else spec).partition(":")
    if kind == "py" and ":" in target:
        return in_process.load(target, timeout)
    if kind == "webgpu":
        return _webgpu(spec, target, timeout)
    if kind == "browser":
        return _browser(spec, target, timeout)
    if kind in SCRIPTED:
        return _scripted(spec, kind, target, timeout)
    if kind == "cmd" and target.strip():
        try:
            return CommandRuntime(target, timeout)
        except ValueError as error:
            raise UnknownRuntimeError(f"--runtime={spec} is not a valid command line: {error}") from error
    kinds = (
        "reference, webgpu, node, deno, browser:chromium, browser:firefox, browser:wait, py:module:attr, "
        "cmd:'command line', mutant:name, conforming:name"
    )
    installed_names = (
        f"names in the entry point group {GROUP}: {', '.join(sorted(names))}"
        if names
        else f"the entry point group {GROUP} is empty"
    )
    raise UnknownRuntimeError(f"--runtime={spec} is not one of: {kinds}; {installed_names}")


def _webgpu(spec: str, text: str, timeout: float) -> Runtime:
    """Return the WebGPU executor, with options as in `adapter=lavapipe,kv_cache=f16`."""
    example = "webgpu:adapter=lavapipe,variant=portable,kv_cache=f16"
    members = _options(spec, text, WEBGPU_OPTIONS, f"options are as in {example}")
    if members.get("kv_cache", "f32") not in ("f16", "f32"):
        raise UnknownRuntimeError(f"--runtime={spec}: kv_cache must be f16 or f32")
    if find_spec("wgpu") is None:
        raise UnknownRuntimeError(f"--runtime={spec} needs wgpu: pip install 'llq-format[webgpu]'")

    module = import_module(".webgpu", __package__)
    try:
        return in_process.InProcessRuntime(module.WebGPU(**members), timeout)
    except module.DeviceError as error:
        raise UnknownRuntimeError(f"--runtime={spec}: {error}") from error


def _browser(spec: str, text: str, timeout: float) -> Runtime:
    """Return the page of a browser, with options as in `chromium,adapter=default`."""
    name, _, members = text.partition(",")
    examples = "browser:chromium,adapter=default,flags='--use-angle=vulkan' or browser:wait,port=8000"
    usage = f"browsers are {', '.join(BROWSERS)}, options as in {examples}"
    if name not in BROWSERS:
        raise UnknownRuntimeError(f"--runtime={spec}: {usage}")
    options = _options(spec, members, BROWSERS[name], usage)
    if not options.get("port", "0").isdecimal() or ("key" in options) != ("certificate" in options):
        raise UnknownRuntimeError(
            f"--runtime={spec}: port must be a number, `certificate` and `key` must be given together"
        )
    if options.get("thread", "page") not in ("page", "worker"):
        raise UnknownRuntimeError(f"--runtime={spec}: thread must be page or worker")
    if any(find_spec(module) is None for module in ("starlette", "uvicorn", "websockets", "wgpu")):
        raise UnknownRuntimeError(
            f"--runtime={spec} needs further packages: pip install 'llq-format[browser]'"
        )

    browsers = import_module(".javascript.launchers", __package__)
    command = None
    if name != "wait":
        program = browsers.find(name)
        if program is None:
            raise UnknownRuntimeError(
                f"--runtime={spec}: {' or '.join(browsers.NAMES[name])} is not installed"
            )
        command = _browser_command(spec, name, program, options)
    certificate = (options["certificate"], options["key"]) if "key" in options else None
    place = (options.get("host", "127.0.0.1"), int(options.get("port", "0")))
    try:
        runtime: Runtime = import_module(".javascript.browser", __package__).BrowserRuntime(
            command,
            timeout,
            host=place[0],
            port=place[1],
            certificate=certificate,
            thread=options.get("thread", "page"),
        )
    except OSError as error:
        raise UnknownRuntimeError(f"--runtime={spec} cannot listen: {error.strerror or error}") from error
    return runtime


def _browser_command(spec: str, name: str, program: str, options: Mapping[str, str]) -> object:
    """Return how a browser is started, with options as in `adapter=default,flags="--a --b",driver=FILE`."""
    connection = import_module(".javascript.browser_connection", __package__)
    variables = import_module(".javascript.node", __package__).driver_variables
    try:
        flags = shlex.split(options.get("flags", ""))
        environment = variables(options["driver"]) if "driver" in options else {}
    except ValueError as error:  # quotes that do not match, or a driver that is not there
        raise UnknownRuntimeError(f"--runtime={spec}: {error}") from error
    command: object = connection.BrowserCommand(name, program, options.get("adapter"), flags, environment)
    return command


def _scripted(spec: str, kind: str, text: str, timeout: float) -> Runtime:
    """Return the JavaScript runtime in Node or Deno, with options as in `variant=portable`."""
    example = f"{kind}:variant=portable,driver=/path/of/icd.json"
    members = _options(spec, text, SCRIPT_OPTIONS, f"options are as in {example}")
    if find_spec("wgpu") is None:  # the planner is in a package that imports it
        raise UnknownRuntimeError(f"--runtime={spec} needs wgpu: pip install 'llq-format[webgpu]'")
    module = import_module(f".javascript.{kind}", __package__)
    try:
        runtime: Runtime = getattr(module, SCRIPTED[kind])(timeout, **members)
    except ValueError as error:  # a NodeError
        raise UnknownRuntimeError(f"--runtime={spec}: {error}") from error
    return runtime


def _options(spec: str, text: str, option_names: AbstractSet[str], usage: str) -> dict[str, str]:
    """Return options `name=value,…`, in which values may be in quotes.

    Raises UnknownRuntimeError with the usage if an option is unknown or empty.
    """
    pairs = (option.partition("=") for option in _OPTION.findall(text))
    options = {name: re.sub(_QUOTED, r"\2", value) for name, _, value in pairs}
    if not option_names >= options.keys() or not all(options.values()):
        raise UnknownRuntimeError(f"--runtime={spec}: {usage}")
    return options


def installed() -> dict[str, EntryPoint]:
    """Return the entry points of `GROUP` by name; those that would hide another kind of spec are left out."""
    points = entry_points(group=GROUP)
    return {entry.name: entry for entry in points if entry.name != "reference" and ":" not in entry.name}
