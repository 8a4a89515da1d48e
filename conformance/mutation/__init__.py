"""Deliberate implementations, wrong or unusual, and what the suite says of each."""
