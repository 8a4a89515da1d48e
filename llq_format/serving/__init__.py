"""An HTTP server for a package and the demo page (`llq serve`; extra `serve`)."""
