"""Packages that stay open, since many mutants are tested with the same package."""

from functools import cached_property, lru_cache
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

import llq_format
from llq_format.format.quantize import PackedTensor
from llq_format.package.reader import Package


class KeptPackage(Package):
    """A package that is not closed: its parts are checked once."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it open."""


class KeptPacked(PackedTensor):
    """An INT4 tensor that is unpacked and decoded once."""

    @cached_property
    def codes(self) -> NDArray[np.uint8]:
        """The codes, uint8 [n, 64, 64]."""
        return super().codes

    def dequantize(self) -> NDArray[np.float32]:
        """Return the weights, float32 [rows, cols], exactly."""
        return self._weights

    @cached_property
    def _weights(self) -> NDArray[np.float32]:
        weights = super().dequantize()
        weights.flags.writeable = False
        return weights


class KeptTensors(KeptPackage):
    """A package whose tensors are read once; nobody may change them."""

    def __init__(self, package: Package) -> None:
        """Keep what `open` has checked."""
        super().__init__(package.directory, package.metadata, package.metadata_bytes)
        self._tensors: dict[str, NDArray[np.float32]] = {}
        self._packed: dict[str, PackedTensor] = {}

    def get_tensor(self, name: str) -> NDArray[np.float32]:
        """Return a tensor, decoded exactly."""
        if name not in self._tensors:
            self._tensors[name] = super().get_tensor(name)
            self._tensors[name].flags.writeable = False
        return self._tensors[name]

    def get_packed(self, name: str) -> PackedTensor:
        """Return an INT4 tensor as stored."""
        if name not in self._packed:
            packed = super().get_packed(name)
            self._packed[name] = KeptPacked(packed.shape, packed.scales, packed.zero_points, packed.packed)
        return self._packed[name]


@lru_cache(8)
def with_tensors(path: Path) -> KeptTensors:
    """Return a package with its tensors, for who decodes as the reference does."""
    return KeptTensors(llq_format.open(path))


@lru_cache(8)
def without_tensors(path: Path) -> KeptPackage:
    """Return a package that stays open, for who decodes in its own way."""
    opened = llq_format.open(path)
    return KeptPackage(opened.directory, opened.metadata, opened.metadata_bytes)
