"""The figures of the specification, drawn from golden vectors: `python -m website.figures` writes them."""

from collections.abc import Callable, Mapping

from website.figures import executor, layer, package, planes, record, shard

FIGURES: Mapping[str, Callable[[], str]] = {
    "package": package.draw,
    "shard": shard.draw,
    "record": record.draw,
    "planes": planes.draw,
    "layer": layer.draw,
    "executor": executor.draw,
}
"""What draws each figure, by the name of its file in `spec/figures/`."""
