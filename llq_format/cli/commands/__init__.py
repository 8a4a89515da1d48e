"""The subcommands of `llq`, one module each."""
