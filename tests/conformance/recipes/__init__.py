"""Tests of conformance.recipes."""
