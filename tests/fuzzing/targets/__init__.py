"""Fuzz targets: each reader of untrusted input on its own, with its typed error and its bounds."""
