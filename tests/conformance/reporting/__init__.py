"""Tests of `conformance/reporting/`."""
