"""The smoke test: before any vector counts, tell a broken adapter from a broken runtime."""

from collections.abc import Sequence
from contextlib import suppress

from ..core.runtime import BrokenAdapter, Declined, NoAnswerError, Runtime
from ..core.vectors import Vector

SIMPLEST = "worked-example"


def smoke(runtime: Runtime, vectors: Sequence[Vector]) -> None:
    """Shake hands and ask about the simplest vector; raise `BrokenAdapter` if the answers break the protocol.

    An answer may be wrong, or say that the runtime cannot: that is the runtime's affair, and the checks tell.
    """
    capabilities = runtime.capabilities
    valid = [vector for vector in vectors if vector.valid]
    vector = next((vector for vector in valid if vector.id == SIMPLEST), valid[0])
    try:
        if "decode" in capabilities:
            for name in vector.tensors:
                with suppress(Declined):
                    runtime.decode(vector.package, name)
        if "reject" in capabilities:
            with suppress(Declined):
                runtime.validate(vector.package)
    except BrokenAdapter:
        raise
    except NoAnswerError as error:
        raise BrokenAdapter(f"request about vector {vector.id}: {error}", error.detail) from error
