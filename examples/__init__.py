"""Adapters and runtimes that show how a foreign implementation meets the suite; each stands on its own."""
