"""Seeded orthogonal matrices that spread every coordinate over all others."""

import numpy as np

from llq_format.exporting.transforms.transform import Array


def orthogonal(size: int, rng: np.random.Generator) -> Array:
    """Return a random orthogonal matrix, float64 [size, size], Q Qᵀ = I.

    The matrix is (S ⊗ O) · diag(±1). S is the Hadamard matrix of the largest power of two that divides
    `size`. O is a uniformly random orthogonal matrix whose size is the remaining odd factor.
    """
    power = size & -size
    hadamard = np.ones((1, 1))
    while len(hadamard) < power:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    odd = size // power
    q, r = np.linalg.qr(rng.standard_normal((odd, odd)))
    odd_factor = q * np.sign(np.diag(r))
    signs = rng.choice([-1.0, 1.0], size)
    return np.asarray(np.kron(hadamard / np.sqrt(power), odd_factor) * signs)
