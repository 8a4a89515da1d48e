"""The first error of a package, found from the text of the specification alone."""
