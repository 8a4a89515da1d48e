"""The extra `webgpu`, for the commands that need a device."""

from importlib.util import find_spec


def require_wgpu() -> None:
    """Import wgpu and silence its log: errors are raised, so they are reported once.

    Raises ValueError that names the package to install if wgpu is missing.
    """
    if find_spec("wgpu") is None:
        raise ValueError("this command requires WebGPU: pip install 'llq-format[webgpu]'")
    from llq_format.webgpu.execution.adapters import silence_log  # noqa: PLC0415  # an extra

    silence_log()
