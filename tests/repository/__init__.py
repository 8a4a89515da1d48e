"""Tests of `repository/`."""
