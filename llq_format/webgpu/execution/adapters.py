"""The adapters of this machine: GPUs and software adapters."""

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import wgpu
from wgpu.backends.wgpu_native.extras import set_instance_extras

from llq_format.webgpu.execution.device_errors import DeviceError
from llq_format.webgpu.planning.program import ProgramVariant

_ORDER = {"DiscreteGPU": 0, "IntegratedGPU": 1, "VirtualGPU": 2, "CPU": 3}
_WGPU_NAMES = {"subgroups": "subgroup"}  # names of features in wgpu-native that differ from WebGPU's

_OTHER_NAMES = {"lavapipe": "llvmpipe"}
"""Common names of adapters, and the names that the adapters report."""

# Chromium ships SwiftShader with a manifest that the Vulkan loader does not look for.
_CHROMIUM = (
    "/usr/lib/chromium",
    "/usr/lib/chromium-browser",
    "/usr/lib64/chromium-browser",
    "/opt/google/chrome",
    "/opt/chromium",
)
_MANIFEST = "vk_swiftshader_icd.json"


def adapters() -> list[Any]:
    """Return the adapters of this machine, the preferred one first: GPUs before software adapters.

    Raises DeviceError if wgpu-native cannot search for adapters.
    """
    with _vulkan_environment():
        _leave_opengl_out()
        try:
            candidates = list(wgpu.gpu.enumerate_adapters_sync())
        except RuntimeError as error:
            raise DeviceError(f"no WebGPU adapter found: {error}") from None
    usable = [adapter for adapter in candidates if adapter.info["backend_type"] != "OpenGL"]
    return sorted(usable, key=_preference)


@cache
def _leave_opengl_out() -> None:
    """Limit wgpu to Vulkan, Metal and Direct3D 12: OpenGL would take half a second."""
    with suppress(RuntimeError):  # the process already used wgpu
        set_instance_extras(backends=["Primary"])


def find_adapter(name: str | None) -> Any:
    """Return the adapter whose name, description or backend contains `name`, or the preferred one.

    name: in any case; `lavapipe` is another word for llvmpipe, and `swiftshader` is found where Chromium is
    installed; or the path of a Vulkan driver's manifest (.json), which is then the only driver that this
    process loads. Raises DeviceError if there is no such adapter.
    """
    if name is not None and name.endswith(".json"):
        if not Path(name).is_file():
            raise DeviceError(f"driver manifest {name} not found")
        os.environ["VK_DRIVER_FILES"] = os.environ["VK_ICD_FILENAMES"] = name  # read by the Vulkan loader
        name = None
    available = adapters()
    if not available:
        raise DeviceError(
            "no WebGPU adapter found: install a GPU driver, or without a GPU a software adapter, such as "
            "Debian's mesa-vulkan-drivers"
        )
    pattern = "" if name is None else _OTHER_NAMES.get(name.lower(), name.lower())
    for adapter in available:
        info = adapter.info
        if pattern in f"{info['device']} {info['description']} {info['backend_type']}".lower():
            return adapter
    names = ", ".join(adapter_name(adapter) for adapter in available)
    raise DeviceError(f"no WebGPU adapter matches {name!r}; the adapters are: {names}")


def silence_log() -> None:
    """Silence the error log of wgpu, because its errors are raised anyway."""
    logging.getLogger("wgpu").setLevel(logging.CRITICAL)


def adapter_name(adapter: Any) -> str:
    """Return the name of an adapter and its backend."""
    return f"{adapter.info['device']} ({adapter.info['backend_type']})"


def wgpu_feature(name: str) -> str:
    """Return the wgpu-native name of a WebGPU feature."""
    return _WGPU_NAMES.get(name, name)


def supports(adapter: Any, variant: ProgramVariant) -> bool:
    """Return whether an adapter has the features of a variant; wgpu has the language extensions always."""
    return all(wgpu_feature(feature) in adapter.features for feature in variant.features)


def _preference(adapter: Any) -> tuple[int, bool]:
    swiftshader = "swiftshader" in str(adapter.info["device"]).lower()  # slower than lavapipe
    return _ORDER.get(adapter.info["adapter_type"], 4), swiftshader


@contextmanager
def _vulkan_environment() -> Iterator[None]:
    """Add SwiftShader to the Vulkan loader, and prevent driver warnings in sessions without a screen.

    The loader reads these variables when a process first requests an adapter; variables that the user has set
    are kept.
    """
    variables = {"XDG_RUNTIME_DIR": tempfile.gettempdir()}
    manifests = [path for folder in _CHROMIUM if (path := Path(folder) / _MANIFEST).is_file()]
    if manifests and not {"VK_DRIVER_FILES", "VK_ICD_FILENAMES"} & set(os.environ):
        variables["VK_ADD_DRIVER_FILES"] = str(manifests[0])
    added = {name: value for name, value in variables.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
