"""Directories that are replaced atomically: exchange, lock, work directory, recovery, deferred signals."""
