"""Tests of `conformance/runtimes/javascript/`."""
