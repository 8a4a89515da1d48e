"""Measured profiles of packages, as JSON and as HTML pages."""
