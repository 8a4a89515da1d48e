"""Tests of `conformance/checks/`."""
