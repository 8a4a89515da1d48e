"""Differential fuzzing: mutated packages, and readers that must agree on the first error of each."""
