"""Packages on disk: the reader, the writer that mirrors it, and the replacement of directories."""
