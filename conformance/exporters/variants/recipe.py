"""The reference exporter in steps; a mutant or a conforming variant replaces steps."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llq_format.exporting.checkpoint import Checkpoint, open_checkpoint
from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.format.quantize import Method, QuantizeError, quantize, round_affine
from llq_format.metadata.model import Model, tensor_roles
from llq_format.package.record_writer import TensorPlan
from llq_format.package.writer import PackageWriter

Weights = NDArray[np.float32]
Load = Callable[[Checkpoint, str], Weights]
Sections = tuple[NDArray[np.float16], NDArray[np.int8] | None, NDArray[np.uint8]]


def load(source: Checkpoint, name: str) -> Weights:
    """Return a tensor as it is; a head that the checkpoint ties is its embedding."""
    return source.load("embedding" if name == "lm_head" and source.model["tied_embeddings"] else name)


def no_members(_checkpoint: Path, _package: Path) -> dict[str, Any]:
    """Return no members."""
    return {}


@dataclass(frozen=True)
class Recipe:
    """The steps from a checkpoint to a package; by default those of `llq export` without module and program.

    model: from the checkpoint's model to the package's model. load: from a name to the values of a tensor.
    rounder: the rounding of blocks. dtypes: dtypes of tensors by the last part of their names.
    extras: from both paths to the extras of the metadata. stem: from the checkpoint's path to the stem.
    """

    model: Callable[[dict[str, Any]], dict[str, Any]] = dict
    load: Load = load
    rounder: Method = round_affine
    dtypes: Mapping[str, Any] | None = None
    matrices: str = "int4_affine"
    extras: Callable[[Path, Path], dict[str, Any]] = no_members
    stem: Callable[[Path], str] = lambda _checkpoint: "exported"
    shard_limit: int = SHARD_LIMIT_DEFAULT

    def __call__(self, checkpoint: Path, package: Path, *, overwrite: bool = False) -> None:
        """Export; raises what the library raises."""
        with open_checkpoint(checkpoint, tokenizer=False) as source:
            model = Model.from_json(self.model(source.model))
            plans = [self._plan(role) for role in tensor_roles(model)]
            with PackageWriter(
                package,
                plans,
                stem=self.stem(checkpoint),
                model=model,
                shard_limit=self.shard_limit,
                extras=self.extras(checkpoint, package) or None,
                overwrite=overwrite,
            ) as writer:
                for plan in plans:
                    values = self.load(source, plan.name)
                    writer.add(plan.name, self._encoded(plan, values))
                writer.finish()

    def _encoded(self, plan: TensorPlan, values: Weights) -> Any:
        """Return what is written of a tensor; raises QuantizeError, which names it."""
        if not plan.dtype.startswith("int4"):
            return values
        try:
            return quantize(values, method=self.rounder)
        except QuantizeError as error:
            raise QuantizeError(f"tensor {plan.name!r}: {error}") from None

    def _plan(self, role: Any) -> TensorPlan:
        suffix = role.name.rpartition(".")[2]
        matrix = any(dtype.startswith("int4") for dtype in role.dtypes)
        plain: Any = self.matrices if matrix else "f32"
        return TensorPlan(
            role.name, {"embedding": "f16", **(self.dtypes or {})}.get(suffix, plain), role.shape
        )


@contextmanager
def altered(checkpoint: Path) -> Iterator[Path]:
    """Provide a copy of a checkpoint, for an exporter that repairs what it should refuse."""
    with tempfile.TemporaryDirectory(prefix="llq-altered-") as home:
        copy = Path(home) / checkpoint.name
        if checkpoint.is_dir():
            shutil.copytree(checkpoint, copy)
        else:
            shutil.copy(checkpoint, copy)
        yield copy


def configured(checkpoint: Path, **changes: Any) -> None:
    """Change members of a checkpoint's configuration; None takes one out."""
    path = checkpoint / "config.json"
    if not path.is_file():
        return
    config = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    members = {key: value for key, value in config.items() if value is not None}
    path.write_text(json.dumps(members), encoding="utf-8")


def tensors_changed(
    checkpoint: Path, change: Callable[[dict[str, tuple[str, list[int], bytes]]], None]
) -> None:
    """Change the tensors of model.safetensors: dtype, shape and bytes by name."""
    path = checkpoint / "model.safetensors"
    if not path.is_file():
        return
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = entry["dtype"], entry["shape"], data[8 + length + begin : 8 + length + end]
    change(tensors)
    entries, body = {}, b""
    for name, (dtype, shape, content) in tensors.items():
        offsets = [len(body), len(body) + len(content)]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": offsets}
        body += content
    text = json.dumps(entries).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
