"""Tests of fresh questions."""
