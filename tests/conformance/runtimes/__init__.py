"""Tests of `conformance/runtimes/`."""
