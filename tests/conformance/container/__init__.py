"""Tests of `conformance/container/`."""
