"""Tests of `conformance/exporters/`."""
