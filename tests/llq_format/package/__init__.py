"""Tests of `llq_format/package/`."""
