"""Conforming variants, runtimes that are unusual but legal: no check may fail them, whatever they claim.

`pytest conformance --runtime=conforming:NAME` asks one.
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
from . import sampling
from .float32 import Float32Runtime
from .kernels import INTEGER_KERNELS, KERNELS, KernelRuntime


class UnknownVariantError(LookupError):
    """No conforming variant has this name."""


def _mutant_variant(mutate: Mutate) -> Callable[[], Any]:
    return lambda: MutantRuntime([Mutant("conforming", "", "", (), mutate)])


def _kernel(name: str, *, integer: bool) -> Callable[[], Any]:
    if integer:
        return lambda: KernelRuntime(int8=INTEGER_KERNELS[name])
    return lambda: KernelRuntime(KERNELS[name], flush=False)


CONFORMING: dict[str, Callable[[], Any]] = {
    **{f"kernel-{name.replace(' ', '-')}": _kernel(name, integer=False) for name in KERNELS},
    **{f"int8-kernel-{name.replace(' ', '-')}": _kernel(name, integer=True) for name in INTEGER_KERNELS},
    "float32-shuffled": lambda: Float32Runtime(0),
    "float32-binary16-cache": lambda: Float32Runtime(1, "f16"),
    "float32-cache-wider-than-declared": lambda: Float32Runtime(2, "f16", "f32"),
    "binary16-cache": lambda: Reference("f16"),
    "disturbed": _mutant_variant(over.disturbed(1)),
    "disturbed-otherwise": _mutant_variant(over.disturbed(2)),
    "float32-results": _mutant_variant(over.float32_results),
    "online-softmax": _mutant_variant(over.online_softmax),
    "great-negative-mask": _mutant_variant(over.great_negative_mask),
    "all-experts-masked": _mutant_variant(over.all_experts_masked),
    "tokens-sorted-by-expert": _mutant_variant(over.tokens_sorted_by_expert),
    "norm-by-reciprocal": _mutant_variant(over.norm_by_reciprocal),
    "sigmoid-by-tanh": _mutant_variant(over.sigmoid_by_tanh),
    "codes-by-reciprocal": _mutant_variant(over.codes_by_reciprocal),
    "subnormals-flushed": _mutant_variant(over.subnormals_flushed),
    "scale-at-its-limit": _mutant_variant(over.scale_at_its_limit),
    "preallocated-cache": _mutant_variant(over.preallocated_cache),
    "sampling-in-binary32": _mutant_variant(sampling.in_binary32),
    "sampling-in-lanes": _mutant_variant(sampling.in_lanes),
    "sampling-by-probabilities": _mutant_variant(sampling.by_probabilities),
    "sampling-with-a-floor": _mutant_variant(sampling.with_a_floor),
    "sampling-up-and-up": _mutant_variant(sampling.at_limits(1, 1)),
    "sampling-up-and-down": _mutant_variant(sampling.at_limits(1, -1)),
    "sampling-down-and-up": _mutant_variant(sampling.at_limits(-1, 1)),
    "sampling-down-and-down": _mutant_variant(sampling.at_limits(-1, -1)),
    "token-by-token": lambda: over.InSteps(1),
    "three-tokens-at-a-time": lambda: over.InSteps(3),
    "at-once-without-cache": over.AtOnceWithoutCache,
    "answers-in-binary32": over.AnswersInBinary32,
    "first-error-alone": over.FirstErrorAlone,
    "talkative-validator": over.TalkativeValidator,
    "blocks-backwards": over.BlocksBackwards,
    "products-apart": over.ProductsApart,
}
"""What makes each conforming variant, by name."""


def runtime(name: str) -> Any:
    """Return the conforming variant of a name. Raises UnknownVariantError, which lists similar names."""
    if name not in CONFORMING:
        near = " or ".join(get_close_matches(name, CONFORMING, 3, 0.3) or list(CONFORMING)[:3])
        raise UnknownVariantError(
            f"there is no conforming variant {name!r}; did you mean {near}? "
            "`python -m conformance.mutation.conforming` lists all variants"
        )
    return CONFORMING[name]()


__all__ = ["CONFORMING", "UnknownVariantError", "runtime"]
