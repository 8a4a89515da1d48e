"""Tests of `llq_format/validation/`."""
