"""Tests of `conformance/`."""
