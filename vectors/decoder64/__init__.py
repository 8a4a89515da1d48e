"""A second decoder: whole sequences at once, in NumPy and binary64, written from the specification alone.

It shares no arithmetic with `vectors.kit` and nothing with `llq_format`. The kit computes small models;
this decoder computes those whose size matters.
"""
