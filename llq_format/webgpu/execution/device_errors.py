"""Errors of devices, importable without the extra `webgpu`."""


class DeviceError(Exception):
    """No device can execute the program, or the device ran out of memory or was lost."""


class DeviceLostError(DeviceError):
    """The device was lost: its driver was reset, or the device was destroyed."""
