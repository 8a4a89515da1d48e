"""Tests of `llq_format.webgpu`: kernels, products, host, and the suite on software adapters."""
