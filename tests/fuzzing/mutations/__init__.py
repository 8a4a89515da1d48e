"""Mutations of packages, by the layer that they change."""
