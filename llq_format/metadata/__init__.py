"""metadata.json as typed values, the JSON that it is written in, and the rules that a package can break."""
