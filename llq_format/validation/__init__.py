"""The checks of a package, one module for each stage (spec: Validation, Stages)."""
