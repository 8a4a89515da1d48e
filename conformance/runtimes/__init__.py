"""The kinds of runtimes: in this process, started by a command, on WebGPU, or in JavaScript."""
