"""Tests of `conformance/diagnosis/`."""
