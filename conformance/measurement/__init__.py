"""How the suite itself is measured: the kill matrix and the attribution of mutants."""
