"""The conformance suite of LLQ: `pytest conformance --runtime=SPEC` reports which rules a runtime breaks.

Reading order: `core` (vectors, checks and the interface of a runtime), `checks`, `container` (packages as
the suite reads them), `diagnosis` (why an answer is wrong), `runtimes`, `reporting`, `mutation`.
"""
