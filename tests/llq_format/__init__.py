"""Tests of `llq_format/`."""
