"""Tests of `llq_format/format/`."""
