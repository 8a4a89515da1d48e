"""WebGPU: kernels in WGSL, a planner that makes the program of a package, and an executor that runs it.

Needs the extra `webgpu` (wgpu). The chapters WGSL module and Execution program specify these parts.
"""
