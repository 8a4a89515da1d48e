"""Tests of `llq_format/serving/`."""
