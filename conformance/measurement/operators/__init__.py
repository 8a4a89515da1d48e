"""The run of mutation operators: which mutants the vectors kill, and why the others survive."""
