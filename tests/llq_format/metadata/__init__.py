"""Tests of `llq_format/metadata/`."""
