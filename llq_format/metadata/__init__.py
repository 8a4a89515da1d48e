"""metadata.json as typed values, its JSON form, and the rules for packages."""
