"""Runtimes that are odd but legal: no check may fail them, whatever they claim.

`pytest conformance --runtime=equivalent:NAME` asks one.
`python -m conformance.mutation.conforming` lists them.
"""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ...runtimes.reference import Reference
from ..mutants.mutant import Mutant
from ..mutants.runtime import MutantRuntime
from ..mutants.seam import Mutate
from . import over_reference as over
from .float32 import Float32Runtime
from .kernels import INTEGER_KERNELS, KERNELS, KernelRuntime


class UnknownEquivalentError(LookupError):
    """No equivalent has this name."""


def _changed(mutate: Mutate) -> Callable[[], Any]:
    return lambda: MutantRuntime([Mutant("equivalent", "", "", (), mutate)])


def _kernel(name: str, *, integer: bool) -> Callable[[], Any]:
    if integer:
        return lambda: KernelRuntime(int8=INTEGER_KERNELS[name])
    return lambda: KernelRuntime(KERNELS[name], flush=False)


EQUIVALENTS: dict[str, Callable[[], Any]] = {
    **{f"kernel-{name.replace(' ', '-')}": _kernel(name, integer=False) for name in KERNELS},
    **{f"int8-kernel-{name.replace(' ', '-')}": _kernel(name, integer=True) for name in INTEGER_KERNELS},
    "float32-shuffled": lambda: Float32Runtime(0),
    "float32-binary16-cache": lambda: Float32Runtime(1, "f16"),
    "float32-cache-wider-than-declared": lambda: Float32Runtime(2, "f16", "f32"),
    "binary16-cache": lambda: Reference("f16"),
    "disturbed": _changed(over.disturbed(1)),
    "disturbed-otherwise": _changed(over.disturbed(2)),
    "float32-results": _changed(over.float32_results),
    "online-softmax": _changed(over.online_softmax),
    "great-negative-mask": _changed(over.great_negative_mask),
    "all-experts-masked": _changed(over.all_experts),
    "tokens-sorted-by-expert": _changed(over.sorted_experts),
    "norm-by-reciprocal": _changed(over.reciprocal_norm),
    "sigmoid-by-tanh": _changed(over.silu_by_tanh),
    "codes-by-reciprocal": _changed(over.reciprocal_codes),
    "subnormals-flushed": _changed(over.flushed_subnormals),
    "scale-at-its-limit": _changed(over.far_scale),
    "preallocated-cache": _changed(over.preallocated_cache),
    "token-by-token": lambda: over.InSteps(1),
    "three-tokens-at-a-time": lambda: over.InSteps(3),
    "at-once-without-cache": over.AtOnce,
    "answers-in-binary32": over.Single,
    "first-fault-alone": over.FirstFault,
    "talkative-validator": over.Talkative,
    "blocks-backwards": over.Backwards,
    "products-apart": over.Products,
}
"""What makes each equivalent, by name."""


def runtime(name: str) -> Any:
    """Return the equivalent of a name. Raises UnknownEquivalentError, which tells the nearest names."""
    if name not in EQUIVALENTS:
        near = ", ".join(get_close_matches(name, EQUIVALENTS, 3, 0.3) or list(EQUIVALENTS)[:3])
        raise UnknownEquivalentError(
            f"no equivalent is called {name!r}; near are {near}; "
            "`python -m conformance.mutation.conforming` lists all"
        )
    return EQUIVALENTS[name]()


__all__ = ["EQUIVALENTS", "UnknownEquivalentError", "runtime"]
