"""Random chat templates: statements and expressions of Jinja, some of which allocate or do not end."""

from random import Random

from tests.fuzzing.targets.target import Files

_NUMBERS = ("0", "1", "-1", "3", "99999", "100001", "10**9", "9**(9**9)", "2**63", "1.5", "1e308")
_TEXTS = (
    "''",
    "'a'",
    "'x' * 9",
    "'%s'",
    "'%99999999d'",
    "'{0.__class__}'",
    "messages[0].content",
    "bos_token",
)
_ATTRIBUTES = ("__class__", "__init__", "content", "role", "format", "upper", "items", "x", "append", "mro")
_FILTERS = (
    *(
        "length",
        "upper",
        "list",
        "first",
        "last",
        "sort",
        "unique",
        "tojson",
        "int",
        "float",
        "string",
        "trim",
    ),
    *("join", "reverse", "center(99999999)", "indent(99999)", "batch(3)", "slice(9)", "map('upper')", "safe"),
    *(
        "replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaa')",
        "format(1, 2)",
        "attr('__class__')",
        "default(1)",
        "wordwrap(0)",
    ),
    *(
        "groupby('x')",
        "dictsort",
        "round(99)",
        "filesizeformat",
        "truncate(-1)",
        "xmlattr",
        "urlize",
        "sum",
        "nope",
    ),
)
_TAGS = ("break", "continue", "for", "endif", "block a", "extends x", "import x as y", "")
_DOUBLING = "{% set n = namespace(a='x') %}{% for b in range(40) %}{% set n.a = n.a ~ n.a %}{% endfor %}"
_OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "~", "==", "<", "in", "and", "or", "is", "|")


def template(_files: Files, rng: Random) -> Files:
    """Return a template."""
    return {"template.jinja": "".join(_statement(rng, 3) for _ in range(rng.randint(1, 4))).encode()}


def _statement(rng: Random, depth: int) -> str:
    body = _statement(rng, depth - 1) if depth else "x"
    value = _expression(rng, 3)
    kinds = (
        f"{{{{ {value} }}}}",
        f"{{% for a in {value} %}}{body}{{% endfor %}}",
        f"{{% for a in range({rng.choice(_NUMBERS)}) %}}{body}{{% endfor %}}",
        f"{{% if {value} %}}{body}{{% else %}}{body}{{% endif %}}",
        f"{{% set a = {value} %}}{body}",
        f"{_DOUBLING}{body}",
        f"{{% macro m(a) %}}{body}{{{{ m(a) }}}}{{% endmacro %}}{{{{ m({value}) }}}}",
        f"{{% generation %}}{body}{{% endgeneration %}}",
        f"{{{{ raise_exception({value}) }}}}",
        f"{{{{ strftime_now({value}) }}}}",
        f"{{% filter {rng.choice(_FILTERS)} %}}{body}{{% endfilter %}}",
        f"{{% include {value} %}}",
        f"{{% {rng.choice(_TAGS)} %}}",
        "{" * rng.choice((1, 2, 500)) + body,
    )
    return rng.choices(kinds, (9, 9, 3, 5, 5, 1, 2, 1, 1, 1, 2, 1, 2, 1))[0]


def _expression(rng: Random, depth: int) -> str:
    if not depth:
        return rng.choice((*_NUMBERS, *_TEXTS, "messages", "a", "none", "true", "[]", "{}", "nope"))
    inner = _expression(rng, depth - 1)
    kinds = (
        inner,
        f"({inner} {rng.choice(_OPERATORS)} {_expression(rng, depth - 1)})",
        f"{inner}|{rng.choice(_FILTERS)}",
        f"{inner}.{rng.choice(_ATTRIBUTES)}",
        f"{inner}[{_expression(rng, depth - 1)}]",
        f"{inner}({_expression(rng, depth - 1)})",
        f"[{inner}, {inner}]",
        "[" * rng.choice((1, 3000)) + inner,
        f"range({inner})",
        f"{inner}.format({inner})",
        f"{inner}.ljust({rng.choice(_NUMBERS)})",
        f"namespace(a={inner})",
        f"{{'a': {inner}}}",
        f"({inner} if {_expression(rng, depth - 1)} else {inner})",
    )
    return rng.choices(kinds, (9, 4, 6, 4, 2, 1, 3, 0.3, 1, 1, 1, 1, 2, 2))[0]
