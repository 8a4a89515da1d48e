"""Faults at file-system calls: a library in C that disturbs them, and a process that runs `llq` under it."""
