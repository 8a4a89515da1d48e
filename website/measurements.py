"""Pages about how the suite itself is measured: the kill matrix, mutants, conforming variants, a profile."""

from collections.abc import Iterator
from pathlib import Path

from conformance.exporters.variants.conforming import CONFORMING as CONFORMING_EXPORTERS
from conformance.measurement import attribution
from conformance.mutation.conforming import CONFORMING, runtime
from conformance.mutation.kill_matrix import saved
from conformance.reporting.html.markup import element
from website import kill_matrix, markdown


def write(pages: Path) -> None:
    """Write the Markdown of all measurements."""
    markdown.write(pages, "measurements/kill-matrix", kill_matrix.page(saved()))
    markdown.write(pages, "measurements/mutants", attribution.table(attribution.saved()))
    markdown.write(pages, "measurements/conforming-variants", "\n".join(_variants()))
    markdown.write(pages, "measurements/profile-h200", _profile())


def _variants() -> Iterator[str]:
    yield "# Conforming variants\n"
    yield "Unusual but legal implementations that are made on purpose; no check may fail one of them.\n"
    yield "## Runtimes\n"
    yield "`pytest conformance --runtime=conforming:NAME` asks one.\n"
    yield "| variant | capabilities |\n|---|---|"
    for name in CONFORMING:
        yield f"| `{name}` | {', '.join(sorted(runtime(name).capabilities))} |"
    yield "\n## Exporters\n"
    yield "`pytest conformance --exporter=conforming:NAME` asks one.\n"
    yield "| variant | what is unusual |\n|---|---|"
    for variant in CONFORMING_EXPORTERS.values():
        yield f"| `{variant.name}` | {variant.title} |"
    yield ""


def _profile() -> str:
    link = element("a", "The timeline", href="../_static/profile-h200.html")
    return (
        "# Profile of Llama 2 7B on an NVIDIA H200\n\n"
        "`llq profile` measured one decode step and the prefill of a prompt.\n"
        f"{link} shows each operation with its time, and is a page of its own.\n"
        "[WebGPU](../guides/webgpu.md) has the figures and how they were taken.\n"
    )
