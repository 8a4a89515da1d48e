"""Tests of `llq_format/exporting/`."""
