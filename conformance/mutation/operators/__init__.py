"""Mutation operators: small changes that are made at every place of the reference where they make sense.

`sources` names the modules, `observation` records what values their expressions take, the operators propose
changes (`values`, `sequences`, `steps`, `state`), `mutants` lists them, and `loading` imports one of them.
`conformance.measurement.operators` runs them.
"""
