"""Pages and servers that tests of JavaScript use."""
