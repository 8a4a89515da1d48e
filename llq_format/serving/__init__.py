"""A package and the demo page behind HTTP, for browsers (`llq serve`; extra `serve`)."""
