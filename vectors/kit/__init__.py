"""A slow, plain writer of LLQ packages, made from the specification and the standard library alone."""
