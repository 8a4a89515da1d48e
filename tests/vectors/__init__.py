"""Tests of `vectors/`."""
