"""What goes wrong with devices, for those who do not need one to hear of it."""


class DeviceError(Exception):
    """There is no device that can execute a program, or it ran out of memory, or was lost."""


class DeviceLostError(DeviceError):
    """The device went away: a driver was reset, or the device destroyed."""
