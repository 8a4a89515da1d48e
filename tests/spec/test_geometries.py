"""Figures of published models that the specification and README rest on."""

import math

import pytest

from llq_format.format.layout import SHARD_LIMIT_DEFAULT
from llq_format.format.placement import place
from llq_format.metadata.model import RAW, tensor_roles
from llq_format.synth import GEOMETRIES

# Parameters (without rope.inv_freq), tensors, and the size of all shards in GiB to the digits stated.
FIGURES = {
    "smollm2-135m": (134_515_008, 183, "0.10"),
    "llama-3.2-1b": (1_235_814_400, 99, "0.94"),
    "llama-2-7b": (6_738_415_616, 196, "3.33"),
    "qwen2.5-0.5b": (494_032_768, 171, "0.42"),
    "qwen3-0.6b": (596_049_920, 227, "0.50"),
    "llama-4-scout": (107_769_861_120, 1876, "51.7"),
    "llama-4-maverick": (400_711_848_960, 6460, "188.4"),
}


@pytest.mark.parametrize("name", FIGURES)
def test_published_models_have_their_published_size(name: str) -> None:
    parameters, count, gibibytes = FIGURES[name]
    roles = list(tensor_roles(GEOMETRIES[name]))
    assert len(roles) == count
    assert sum(math.prod(role.shape) for role in roles if role.name != "rope.inv_freq") == parameters
    dtypes = {role.name: "int4_affine" if role.dtypes != RAW else "f32" for role in roles}  # as exported
    dtypes.update({"embedding": "f16", "rope.inv_freq": "f32"})
    total = sum(place(((r.name, dtypes[r.name], r.shape) for r in roles), SHARD_LIMIT_DEFAULT).shard_bytes)
    digits = len(gibibytes.split(".")[1])
    assert f"{total / 2**30:.{digits}f}" == gibibytes
