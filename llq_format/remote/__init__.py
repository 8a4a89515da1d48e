"""Checkpoints and packages by address: `hf://org/name`, `https://…` and what else fsspec reads."""
