"""Tests of `llq_format/webgpu/kernels/`."""
