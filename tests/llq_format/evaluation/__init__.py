"""Tests of `llq_format/evaluation/`."""
