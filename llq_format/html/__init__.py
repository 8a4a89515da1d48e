"""Self-contained HTML pages: elements, the frame and common style of a page, and drawings."""
