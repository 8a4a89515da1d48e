"""The two writers of packages from recipes agree: the kit's, an element at a time, and the suite's."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.recipes import generator
from conformance.recipes.shards import shard_bytes
from vectors.cases.logits import dense, model
from vectors.kit.package import assemble
from vectors.kit.recipe import Formula, Recipe, Run, mixed, recipe_json
from vectors.kit.recipe_logits import RecipeSubject
from vectors.kit.recipe_weights import RecipeStyle

SEEDS = st.integers(0, 2**64 - 1)
COUNT = 50


def test_the_generator_is_splitmix64() -> None:
    """Sebastiano Vigna's sequence for the seed 1234567, as widely published."""
    published = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431]
    assert [mixed(1234567, index) for index in range(4)] == published
    assert generator.mixed(1234567, 4).tolist() == published


runs = st.builds(
    Run,
    first=st.integers(0, 9),
    stride=st.integers(1, 5),
    count=st.integers(1, 8),
    value=st.integers(0, 15),
)
bits = st.builds(
    Formula,
    base=st.integers(0, 2**15),
    mask=st.integers(0, 2**15),
    seed=SEEDS,
    sign_bit=st.sampled_from([None, 15, 31]),
    runs=st.lists(runs, max_size=3).map(tuple),
)
choices = st.builds(
    Formula,
    seed=SEEDS,
    choices=st.lists(st.integers(-128, 127), min_size=1, max_size=7).map(tuple),
    runs=st.lists(runs, max_size=3).map(tuple),
)


@given(bits | choices)
def test_formulas_agree(formula: Formula) -> None:
    expected = [formula.value(index) for index in range(COUNT)]
    assert generator.elements(formula.json(), COUNT).tolist() == expected


def written(package: Any, recipes: list[Recipe]) -> list[bytes]:
    """Return the shards that the suite writes for the metadata of a package of the kit."""
    metadata = json.loads(package.seal().files["metadata.json"])
    tensors = json.loads(recipe_json(recipes))["tensors"]
    return [bytes(shard) for shard in shard_bytes(metadata, tensors)]


SUBJECTS = {
    "dense": RecipeSubject(model(1, dense(70), hidden_size=80, tied_embeddings=False)),
    "raw tensors in binary32": RecipeSubject(
        model(1, dense()), 2, RecipeStyle(dtypes={"embedding": "f32", "norm": "f32"})
    ),
    "symmetric": RecipeSubject(
        model(1, dense()), 3, RecipeStyle(dtypes={"qkv": "int4_symmetric", "down": "int4_symmetric"})
    ),
    "several shards": RecipeSubject(model(1, dense(150), hidden_size=70), 4, shard_limit=8192),
    "experts": RecipeSubject(model(0, dense(24, moe={"num_experts": 11, "shared_intermediate_size": 8})), 5),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_packages_agree(name: str) -> None:
    subject = SUBJECTS[name]
    package = subject.package()
    assert (len(package.shards) > 1) == (name == "several shards")
    assert written(package, subject.recipes()) == [bytes(shard) for shard in package.shards]


@given(code=bits, scale=bits, zero_point=choices, shape=st.tuples(st.integers(1, 130), st.integers(1, 130)))
def test_matrices_agree(code: Formula, scale: Formula, zero_point: Formula, shape: tuple[int, int]) -> None:
    formulas = {
        "code": replace(code, base=code.base & 3, mask=code.mask & 4, sign_bit=None),
        "scale": replace(scale, base=scale.base & 0x3FFF, mask=scale.mask & 0x3FFF, sign_bit=None),
        "zero_point": zero_point,
    }
    recipe = Recipe("weight", shape, formulas)
    package = assemble([recipe.tensor()], shard_limit=8192)
    assert written(package, [recipe]) == [bytes(shard) for shard in package.shards]


def test_runs_override_and_later_runs_win() -> None:
    formula = Formula(5, 0, runs=(Run(0, 2, 3, 1), Run(4, 1, 2, 9)))
    assert [formula.value(index) for index in range(7)] == [1, 5, 1, 5, 9, 9, 5]
    assert np.array_equal(generator.elements(formula.json(), 7), [1, 5, 1, 5, 9, 9, 5])
