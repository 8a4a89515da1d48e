"""Tests of `conformance/mutation/`."""
