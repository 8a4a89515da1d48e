"""Code of strangers: chat templates and tokenizers, executed in a process with limits."""
