"""Tests of `llq_format/cli/`."""
