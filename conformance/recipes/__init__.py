"""Packages from recipes: formulas of a generator state the tensors, and the shards are written into a cache."""
