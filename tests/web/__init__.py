"""Tests of what runs in a browser, and of what serves it."""
