"""Tests of `conformance/core/`."""
