"""The smoke test: it detects a broken adapter before the run starts."""

from collections.abc import Sequence
from contextlib import suppress

from ..core.runtime import BrokenAdapter, Declined, NoAnswerError, Runtime
from ..core.vectors import Vector

SIMPLEST = "worked-example"


def smoke(runtime: Runtime, vectors: Sequence[Vector]) -> None:
    """Do the handshake and test the simplest vector; raise `BrokenAdapter` if an answer breaks the protocol.

    An answer may be wrong or report an error: the checks report failures of the runtime.
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
