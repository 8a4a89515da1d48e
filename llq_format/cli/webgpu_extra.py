"""The extra `webgpu`, for the commands that need a device."""

from importlib.util import find_spec


def require_wgpu() -> None:
    """Load wgpu, and keep its log from the terminal: what goes wrong is raised, and told once.

    Raises ValueError with what to install where there is no wgpu.
    """
    if find_spec("wgpu") is None:
        raise ValueError("this needs WebGPU: pip install 'llq-format[webgpu]'")
    from llq_format.webgpu.execution.adapters import silence_log  # noqa: PLC0415  # an extra

    silence_log()
