"""The readers whose verdicts are compared."""
