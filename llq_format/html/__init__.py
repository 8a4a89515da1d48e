"""Self-contained HTML pages: elements, the frame of a page, and pictures."""
