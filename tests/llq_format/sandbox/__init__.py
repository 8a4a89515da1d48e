"""Tests of `llq_format/files`."""
