"""Files and directories that are replaced atomically: exchange, lock, work directory, deferred signals."""
