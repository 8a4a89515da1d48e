"""Errors of devices, importable without the extra `webgpu`."""


class DeviceError(Exception):
    """No device can execute the program, or the device ran out of memory or was lost."""


class DeviceLostError(DeviceError):
    """The device was lost: its driver was reset, or the device was destroyed."""


class ShaderError(DeviceError):
    """The compiler of a device refuses the source of a variant (LLQ-WGSL-5)."""

    def __init__(self, variant: str, problem: str) -> None:
        """Make the error of a variant. problem: the first error of the compiler, in one line."""
        super().__init__(f"variant {variant} of the module does not compile: {problem}")
        self.variant = variant
        self.problem = problem
