"""WebGPU: kernels in WGSL, a planner that makes a program of a package, an executor that runs it.

Needs the extra `webgpu` (wgpu). The chapters WGSL module and Execution program specify what is written here.
"""
