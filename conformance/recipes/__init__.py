"""Packages that vectors state as formulas; the suite writes their shards into a cache."""
