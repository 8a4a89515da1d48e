"""Tests of `conformance/operations/`."""
