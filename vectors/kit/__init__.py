"""A slow, plain writer of LLQ packages, made from the specification alone and from the standard library alone."""
