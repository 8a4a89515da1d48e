"""From metadata to an execution program: buffers, pipelines, dispatches, and the WGSL module."""
