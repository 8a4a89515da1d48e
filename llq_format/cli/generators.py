"""The generators of `llq run`: the reference decoder and WebGPU."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from llq_format.cli.webgpu_extra import require_wgpu
from llq_format.package.reader import Package


class TokenGenerator(Protocol):
    """A runtime with a loaded package. context: capacity in positions."""

    context: int

    def tokens(self, prompt: list[int], max_tokens: int, eos: Sequence[int], choice: Any) -> Generator[int]:
        """Yield the tokens that follow a prompt. The caller closes the generator."""

    def facts(self) -> dict[str, Any]:
        """Return the properties of the runtime for the report."""


def reference_generator(package: Package) -> TokenGenerator:
    """Return the reference decoder of a package."""
    return _Reference(package)


def webgpu_generator(
    package: Package, positions: int, adapter: str | None, variant: str, context: int | None
) -> TokenGenerator:
    """Return a WebGPU executor of a package.

    positions: what the prompt and its answer take: the context, unless one is given, as far as the program's
    goes. Raises ValueError without wgpu, and what `open_executor` raises.
    """
    require_wgpu()
    return _WebGPU(package, positions, adapter, variant, context)


class _Reference:
    def __init__(self, package: Package) -> None:
        from llq_format.reference import Decoder  # noqa: PLC0415  # NumPy's weight

        self._decoder = Decoder(package)
        self.context = self._decoder.model.context_length

    def tokens(self, prompt: list[int], max_tokens: int, eos: Sequence[int], choice: Any) -> Generator[int]:
        from llq_format.reference.generation import generate  # noqa: PLC0415

        yield from generate(self._decoder, prompt, max_tokens, tuple(eos), choice)

    def facts(self) -> dict[str, Any]:
        return {}


class _WebGPU:
    def __init__(
        self, package: Package, positions: int, adapter: str | None, variant: str, context: int | None
    ) -> None:
        from llq_format.webgpu.execution.executor import Executor  # noqa: PLC0415  # an extra
        from llq_format.webgpu.execution.opening import executable, executor_on, open_device  # noqa: PLC0415
        from llq_format.webgpu.execution.session import Session  # noqa: PLC0415
        from llq_format.webgpu.execution.weights import Weights  # noqa: PLC0415

        files = executable(package)
        self.context = context or min(files.program.context_length, positions)

        def make() -> Executor:
            with Weights(package, files.program) as weights:
                device = open_device(files, adapter=adapter, variant=variant, weights=weights)
                return executor_on(package, files, device, self.context, weights)

        self._session = Session(make)

    def tokens(self, prompt: list[int], max_tokens: int, eos: Sequence[int], choice: Any) -> Generator[int]:
        yield from self._session.generate(prompt, max_tokens, eos, choice)

    def facts(self) -> dict[str, Any]:
        executor = self._session.executor
        return {
            "adapter": executor.device.name,
            "variant": executor.device.variant.name,
            "kv_cache": executor.program.kv_cache,
            "context": executor.context,
            "device_bytes": sum(executor.memory().values()),
            "devices_lost": self._session.losses,
        }
