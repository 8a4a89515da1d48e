"""Adapters and runtimes that show how a foreign implementation works with the suite, each self-contained."""
