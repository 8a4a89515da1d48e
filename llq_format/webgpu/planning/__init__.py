"""The planner of execution programs: buffers, pipelines, dispatches, and the WGSL module."""
