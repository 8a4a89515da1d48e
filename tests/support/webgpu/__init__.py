"""Devices, kernels and models that tests of WebGPU use."""
