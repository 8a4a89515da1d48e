"""Tests of `website/`."""
