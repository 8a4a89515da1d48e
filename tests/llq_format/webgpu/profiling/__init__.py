"""Tests of `llq_format/webgpu/profiling/`."""
