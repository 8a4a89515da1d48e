"""Packages on disk: the reader, the writer, and the atomic replacement of directories."""
