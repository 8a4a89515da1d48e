"""Vectors of single operations: the rounding of inputs, and one matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vectors.kit.activation import exact_scale, int8, legal_codes, nearest16, nearest32
from vectors.kit.computed import Answer, packaged
from vectors.kit.matmul import matrix
from vectors.kit.npy import npy32, npy64
from vectors.kit.package import assemble
from vectors.kit.tensor import Int4

Rows = Sequence[Sequence[float]]


def flat(rows: Rows) -> list[float]:
    """Return rows one after the other."""
    return [value for row in rows for value in row]


@dataclass(frozen=True)
class Activations:
    """Vectors to be rounded to a format; inputs are rounded to binary32 first."""

    format: str
    rows: Rows

    def answer(self, home: str) -> Answer:
        """Return the inputs and their rounded values."""
        rows = [[nearest32(value) for value in row] for row in self.rows]
        shape = (len(rows), len(rows[0]))
        arrays = {"input": npy32(shape, flat(rows))}
        if self.format == "binary16":
            arrays["expected"] = npy32(shape, map(nearest16, flat(rows)))
        else:
            legal = [codes for row in rows for codes in legal_codes(row)]
            arrays["least"] = npy32(shape, (least for least, _ in legal))
            arrays["greatest"] = npy32(shape, (greatest for _, greatest in legal))
            arrays["scale"] = npy64(shape[:1], map(exact_scale, rows))
        paths = {name: f"{home}/{name}.npy" for name in arrays}
        return {"format": self.format, **paths}, {paths[name]: data for name, data in arrays.items()}


@dataclass(frozen=True)
class Matvec:
    """A matrix to be multiplied with vectors, rounded to a format; INT8 codes must be unique."""

    format: str
    tensor: Int4
    rows: Rows

    def answer(self, home: str) -> Answer:
        """Return the inputs, the products and their error bounds, and the package."""
        of = matrix(self.tensor)
        rows = [[nearest32(value) for value in row] for row in self.rows]
        products = []
        for row in rows:
            if self.format == "binary16":
                a = [nearest16(value) for value in row]
                products.append((of.times16(a), of.error_bound16(a)))
            else:
                s, q = int8(row)
                if legal_codes(row) != [(code, code) for code in q]:
                    raise ValueError(f"{home}: an input is in the guard band")
                products.append(of.times8(s, q))
        shape = (len(rows), self.tensor.shape[0])
        arrays = {
            "input": npy32((len(rows), self.tensor.shape[1]), flat(rows)),
            "expected": npy64(shape, flat([y for y, _ in products])),
            "bound": npy64(shape, flat([bound for _, bound in products])),
        }
        if not all(math.isfinite(value) for y, bound in products for value in (*y, *bound)):
            raise ValueError(f"{home}: a result is not finite")
        paths = {name: f"{home}/{name}.npy" for name in arrays}
        files = packaged(home, assemble([self.tensor]).seal().files)
        members = {"package": f"{home}/package", "tensor": self.tensor.name, "format": self.format, **paths}
        return members, {**files, **{paths[name]: data for name, data in arrays.items()}}
