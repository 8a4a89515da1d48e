"""Packages, models, pages and commands that several tests use."""
