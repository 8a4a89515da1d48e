"""Tests of `llq_format/reference/`."""
