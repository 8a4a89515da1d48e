"""The storage bindings and parameters of each entry point, in order (spec: WGSL module)."""

from typing import Literal

Access = Literal["read", "read_write"]

_INPUTS = {
    "int8": {"codes": "read", "sums": "read", "scales": "read"},
    "binary16": {"rounded": "read", "rounded_sums": "read"},
}
_ROUNDED = {
    "int8": {"codes": "read_write", "sums": "read_write", "scales": "read_write"},
    "binary16": {"rounded": "read_write", "rounded_sums": "read_write"},
}
_NORM = {"x": "read", "weight": "read", "score": "read", "state": "read"}
_WEIGHTS = {"packed": "read", "scale": "read", "zero_point": "read"}


def _product(form: str, last: str) -> dict[str, str]:
    return {**_WEIGHTS, **_INPUTS[form], last: "read", "y": "read_write"}


_BINDINGS: dict[str, dict[str, str]] = {
    "embed": {"table": "read", "tokens": "read", "x": "read_write"},
    "norm_int8": {**_NORM, **_ROUNDED["int8"]},
    "norm_binary16": {**_NORM, **_ROUNDED["binary16"]},
    "combine_int8": {"partials": "read", **_ROUNDED["int8"]},
    "combine_binary16": {"partials": "read", **_ROUNDED["binary16"]},
    "activate_int8": {"hidden": "read", **_ROUNDED["int8"]},
    "activate_binary16": {"hidden": "read", **_ROUNDED["binary16"]},
    "add_bias": {"bias": "read", "y": "read_write"},
    "head_norm": {"q_weight": "read", "k_weight": "read", "y": "read_write"},
    "rope": {
        "qkv": "read",
        "rope": "read",
        "state": "read",
        "q": "read_write",
        "keys": "read_write",
        "values": "read_write",
    },
    "attention": {
        "q": "read",
        "keys": "read",
        "values": "read",
        "state": "read",
        "partials": "read_write",
    },
    "route": {
        "x": "read",
        "weight": "read",
        "router": "read",
        "choice": "read_write",
        "score": "read_write",
    },
    "matvec_int8": _product("int8", "choice"),
    "matvec_int8_r16": _product("int8", "choice"),
    "matvec_int8_r8": _product("int8", "choice"),
    "matmul_int8": _product("int8", "state"),
    "matmul_int8_split": _product("int8", "state"),
    "matvec_binary16": _product("binary16", "choice"),
    "matvec_binary16_r16": _product("binary16", "choice"),
    "matmul_binary16": _product("binary16", "state"),
    "matvec_raw": {"weights": "read", "rounded": "read", "y": "read_write"},
    "fused_attention": {
        "qkv": "read",
        "rope": "read",
        "state": "read",
        "keys": "read_write",
        "values": "read_write",
        "partials": "read_write",
    },
    "gated_int8": {**_WEIGHTS, **_INPUTS["int8"], "hidden": "read_write", "peaks": "read_write"},
    "hidden_int8": {"hidden": "read", "peaks": "read", **_ROUNDED["int8"]},
    "argmax": {"logits": "read", "candidates": "read_write"},
    "choose": {"candidates": "read", "state": "read_write", "tokens": "read_write"},
    "sample": {"logits": "read", "sampling": "read", "state": "read_write", "tokens": "read_write"},
    "dequantize": {**_WEIGHTS, "y": "read_write"},
    "widen": {"table": "read", "y": "read_write"},
}


def accesses(entry_point: str) -> tuple[Access, ...]:
    """Return the access of each storage binding of an entry point. Raises KeyError for an unknown one."""
    return tuple("read" if access == "read" else "read_write" for access in _BINDINGS[entry_point].values())


def binding_names(entry_point: str) -> tuple[str, ...]:
    """Return the names of the bindings of an entry point, as in the specification."""
    return tuple(_BINDINGS[entry_point])
