"""The rules as code, one module a stage or two (spec: Validation, Stages).

Each function takes what it looks at and yields findings; `llq_format.reader` raises the first,
`llq_format.validate` collects all.
"""
