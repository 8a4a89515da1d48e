"""The ways to reach a runtime: in this process, behind a command, on WebGPU, or in JavaScript."""
