"""From a checkpoint to a package: `llq export`."""
