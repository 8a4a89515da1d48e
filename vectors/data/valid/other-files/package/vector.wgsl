not part of the package
