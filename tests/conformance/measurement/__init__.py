"""Tests of `conformance/measurement/`."""
