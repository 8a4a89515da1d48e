"""The executor: devices, uploaded weights, and programs executed on them (spec: Execution program)."""
