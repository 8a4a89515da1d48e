"""The conformance suite of LLQ: `pytest conformance --runtime=SPEC` says which rules a runtime breaks.

Reading order: `adapter` (what the suite asks of a runtime), `vectors` (what it asks about), `check` and
`checks/` (the questions), `reading`, `misreadings` and `explanation` (why an answer is wrong), `jsonlines`
(runtimes in other languages), `summary`.
"""
