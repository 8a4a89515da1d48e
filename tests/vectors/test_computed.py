"""The vectors of computation: right by second computations, and tight enough to detect wrong runtimes."""

import functools
import json
import math
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tokenizers

from conformance.core.vectors import load
from tests.support.mutant_decoders import MUTANTS
from tests.support.numpy_decoder import Array, NumpyDecoder, quantized, rounded, tensors
from tests.support.repository import ROOT, VECTORS
from vectors.cases import __all__ as modules  # importing them registers the vectors
from vectors.kit import functions
from vectors.kit.computed import COMPUTED, KINDS
from vectors.kit.decoder import Decoder, Weights
from vectors.kit.disturbance import Exact
from vectors.kit.ensemble import Run
from vectors.kit.sequences import Logits

pytestmark = pytest.mark.slow

INDEX: list[dict[str, Any]] = json.loads((VECTORS / "index.json").read_text())["vectors"]
OF: dict[str, list[dict[str, Any]]] = {kind: [v for v in INDEX if v["kind"] == kind] for kind in KINDS}
LOGITS_OF_KIT = [vector for vector in OF["logits"] if "recipe" not in vector]
"""The models that the kit computes; `vectors.decoder64` computes those of recipes."""

RECIPES = {vector.id: vector.recipe for vector in load() if vector.recipe}


def package_of(vector: dict[str, Any]) -> Path:
    """Return the package of a vector, which is in the cache if a recipe states it."""
    recipe = RECIPES.get(vector["id"])
    return recipe.prepare() if recipe else VECTORS / vector["package"]


def array(path: str) -> npt.NDArray[Any]:
    loaded: npt.NDArray[Any] = np.load(VECTORS / path)
    return loaded


def each_vector(kind: str) -> pytest.MarkDecorator:
    return each_of(OF[kind])


def each_of(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors, ids=lambda vector: vector["id"])


# The index.


def test_there_are_vectors_of_every_kind() -> None:
    assert {kind: len(OF[kind]) >= 10 for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert sum(map(len, OF.values())) == len(COMPUTED)
    assert {"activations", "matvec", "logits", "generation", "tokenization"} <= set(modules)


def test_every_rule_of_computation_has_a_vector() -> None:
    rules = json.loads((ROOT / "spec/rules.json").read_text())["rules"]
    computing = {rule["id"] for rule in rules if rule["stage"] == "compute" and rule["kind"] == "requirement"}
    assert computing <= {rule for vectors in OF.values() for v in vectors for rule in v["rules"]}


def test_packages_are_small() -> None:
    for vectors in OF.values():
        for vector in vectors:
            if "package" in vector:
                files = (VECTORS / vector["package"]).iterdir()
                assert sum(file.stat().st_size for file in files) < 300_000


def test_scales_are_legal() -> None:
    for vector in (*OF["matvec"], *OF["logits"], *OF["generate"]):
        package = package_of(vector)
        metadata = json.loads((package / "metadata.json").read_text())
        for tensor in metadata["tensors"]:
            if tensor["dtype"].startswith("int4"):
                (part,) = tensor["parts"]
                data = (package / metadata["shards"][0]["file"]).read_bytes()[part["offset"] :]
                scale, zero_point, _ = quantized(tensor["dtype"], tensor["shape"], data)
                assert scale.min() >= 2.0**-14
                assert (scale * np.maximum(np.abs(zero_point), np.abs(15 - zero_point))).max() <= 65504


# Single operations.


@each_vector("activations")
def test_activations(vector: dict[str, Any]) -> None:
    x = array(vector["input"])
    assert x.dtype == np.float32
    if vector["format"] == "binary16":
        expected = array(vector["expected"])
        assert np.array_equal(expected, rounded(x.astype(np.float64), binary16=True))
        return
    least, greatest, scale = (array(vector[name]) for name in ("least", "greatest", "scale"))
    for row, *codes, s in zip(x, least, greatest, scale, strict=True):
        top = max(abs(Fraction(float(value))) for value in row)
        assert s == float(top / 127)
        for value, low, high in zip(row, *codes, strict=True):
            exact = 127 * Fraction(float(value)) / (top or 1)
            legal = [n for n in range(-127, 128) if abs(exact - n) <= Fraction(1, 2) + Fraction(1, 2**13)]
            assert [low, high] == [legal[0], legal[-1]] if top else low == high == 0


def scale16(x: Array, greatest: Array) -> Array:
    scale = rounded(greatest / 127, binary16=True)
    return np.clip(np.rint(x / np.where(scale == 0, 1, scale)), -127, 127)


def by_maximum(x: Array, _greatest: Array) -> Array:
    top = x.max(axis=1, keepdims=True)
    return np.clip(np.rint(127 * x / np.where(top == 0, 1, top)), -127, 127)


CODES: dict[str, Callable[[Array, Array], Array]] = {
    "right": lambda x, greatest: np.rint(127 * x / np.where(greatest == 0, 1, greatest)),
    "128": lambda x, greatest: np.clip(np.rint(128 * x / np.where(greatest == 0, 1, greatest)), -128, 127),
    "truncation": lambda x, greatest: np.trunc(127 * x / np.where(greatest == 0, 1, greatest)),
    "maximum": by_maximum,
    "a scale for all vectors": lambda x, greatest: np.rint(127 * x / greatest.max()),
    "scale in binary16": scale16,
    "no guard for zeros": lambda x, greatest: np.rint(127 * x / greatest),
}


@pytest.mark.parametrize("how", CODES)
def test_wrong_codes_are_illegal(how: str) -> None:
    failed = []
    for vector in OF["activations"]:
        if vector["format"] == "int8":
            x = array(vector["input"]).astype(np.float64)
            with np.errstate(invalid="ignore"):
                codes = CODES[how](x, np.abs(x).max(axis=1, keepdims=True))
            legal = (codes >= array(vector["least"])) & (codes <= array(vector["greatest"]))
            failed += [vector["id"]] * (not legal.all())
    assert bool(failed) == (how != "right"), failed


def blocks(vector: dict[str, Any]) -> tuple[Array, Array, Array]:
    """Return scale, zero_point and code of each element of a matvec vector's matrix."""
    package = package_of(vector)
    metadata = json.loads((package / "metadata.json").read_text())
    (tensor,) = metadata["tensors"]
    assert tensor["name"] == vector["tensor"]
    data = (package / metadata["shards"][0]["file"]).read_bytes()[256:]
    return quantized(tensor["dtype"], tensor["shape"], data)


def weights_of(vector: dict[str, Any]) -> Array:
    scale, zero_point, codes = blocks(vector)
    return scale * (codes - zero_point)


def error_bound(vector: dict[str, Any], a: Array) -> Array:
    """Return the error bound of chapter Numerics for rounded inputs."""
    scale, zero_point, codes = blocks(vector)
    u, n = 2.0**-24, a.shape[1]
    if vector["format"] == "binary16":
        gamma = (n + 8) * u / (1 - (n + 8) * u)
        flushed = np.where(np.abs(a) < 2.0**-14, np.abs(a), 0)
        counted = scale * (codes + np.abs(zero_point))
        result: Array = gamma * (np.abs(a) @ counted.T) + flushed @ np.abs(scale * (codes - zero_point)).T
        return result
    starts = np.arange(0, n, 64)
    gamma = (2.0**-21 + (len(starts) + 4) * u) / (1 - (len(starts) + 4) * u)
    s = np.abs(a).max(axis=1, keepdims=True) / 127
    products = np.rint(a / np.where(s == 0, 1, s))[:, None, :] * (codes - zero_point)
    integers = np.add.reduceat(products, starts, axis=2)
    return np.asarray(gamma * s * (scale[:, starts] * np.abs(integers)).sum(axis=2))


@each_vector("matvec")
def test_matvec(vector: dict[str, Any]) -> None:
    weights = weights_of(vector)
    x = array(vector["input"]).astype(np.float64)
    a = rounded(x, binary16=vector["format"] == "binary16")
    expected, bound = array(vector["expected"]), array(vector["bound"])
    assert expected.dtype == bound.dtype == np.float64
    assert (np.abs(a @ weights.T - expected) <= 1e-13 * (np.abs(a) @ np.abs(weights).T)).all()
    assert np.allclose(error_bound(vector, a), bound, rtol=1e-12, atol=0)


def sums16(a: Array, weights: Array) -> Array:
    """Return products accumulated in binary16."""
    total = np.zeros((len(a), len(weights)), np.float16)
    with np.errstate(over="ignore", invalid="ignore"):
        for column in range(a.shape[1]):
            total += np.outer(a[:, column], weights[:, column]).astype(np.float16)
    return total.astype(np.float64)


MATVEC: dict[str, tuple[str, Callable[[Array, Array], Array]]] = {
    "not rounded": ("binary16", lambda x, w: x @ w.T),
    "binary16 sums": ("binary16", lambda x, w: sums16(rounded(x, binary16=True), w)),
    "no clamp": ("binary16", lambda x, w: x.astype(np.float16).astype(np.float64) @ w.T),
    "INT8 for binary16": ("binary16", lambda x, w: rounded(x, binary16=False) @ w.T),
    "binary16 for INT8": ("int8", lambda x, w: rounded(x, binary16=True) @ w.T),
    "a scale for all": (
        "int8",
        lambda x, w: rounded(x.reshape(1, -1), binary16=False).reshape(x.shape) @ w.T,
    ),
    "products of rounded weights": (
        "int8",
        lambda x, w: (rounded(x, binary16=False).astype(np.float32) @ w.T.astype(np.float32)).astype(
            np.float64
        ),
    ),
}


@pytest.mark.parametrize("how", MATVEC)
def test_wrong_products_exceed_the_error_bound(how: str) -> None:
    format_, wrong = MATVEC[how]
    failed = []
    for vector in OF["matvec"]:
        if vector["format"] == format_:
            weights = weights_of(vector)
            with np.errstate(over="ignore", invalid="ignore"):
                actual = wrong(array(vector["input"]).astype(np.float64), weights)
                outside = ~(np.abs(actual - array(vector["expected"])) <= array(vector["bound"]))
            failed += [vector["id"]] * bool(outside.any())
    assert failed


def test_functions_agree_with_the_mathematics_library() -> None:
    for z in np.linspace(-30, 30, 2001):
        assert math.isclose(functions.exp(z), math.exp(z), rel_tol=1e-14)
        assert math.isclose(functions.erf(z), math.erf(z), rel_tol=1e-14)
        cos, sin = functions.cos_sin(Fraction(float(z)))
        assert math.isclose(cos, math.cos(z), abs_tol=1e-14)
        assert math.isclose(sin, math.sin(z), abs_tol=1e-14)


# Models.


@each_vector("logits")
def test_logits_agree_with_numpy(vector: dict[str, Any]) -> None:
    decoder = NumpyDecoder(package_of(vector))
    logits, residuals = decoder.logits(vector["tokens"])
    expected = array(vector["expected"])
    positions = vector.get("positions", range(len(vector["tokens"])))
    assert expected.shape == (len(positions), decoder.model["vocab_size"])
    tolerance = 1e-3 * vector["bounds"]["f32"]
    assert np.allclose(logits[list(positions)], expected, rtol=0, atol=tolerance)
    if "layers" in vector:
        layers = array(vector["layers"])
        assert np.allclose(residuals, layers, rtol=1e-9, atol=1e-9 * np.abs(layers).max())
    assert vector["bounds"]["f32"] >= 2**-20 * np.abs(expected).max()
    assert {sum(split) for split in vector["splits"]} == {len(vector["tokens"])}


@each_of(LOGITS_OF_KIT)
def test_margins_are_kept(vector: dict[str, Any]) -> None:
    stated = vector["margins"]
    execution = exact(vector["id"])[2].execution
    assert stated["int8"] is None or execution.int8_margin >= stated["int8"] > 2**-13
    assert stated["router"] is None or execution.router_margin >= stated["router"]


@functools.cache
def exact(name: str) -> tuple[Logits, Weights, Run]:
    """Return a vector, its weights and its exact execution."""
    (computed,) = [computed for computed in COMPUTED if computed.id == name]
    question = computed.make()
    assert isinstance(question, Logits)
    return question, *question.exact()


def shift(cls: type[Decoder], name: str) -> float:
    """Return how far a wrong decoder's logits are off, infinitely if it fails."""
    question, weights, run = exact(name)
    decoder = cls(question.subject.model, weights, Exact())
    try:
        logits = np.array([decoder.step(token) for token in question.tokens])
    except (ArithmeticError, ValueError):  # NaN or infinity on the way
        return math.inf
    difference = float(np.abs(logits - np.array(run.logits)).max())
    return difference if math.isfinite(difference) else math.inf


NEEDS_ROPE = {"RoPE in NoPE layers too"}
# What a binary16 KV cache blurs as much as the mutant does: shown by runtimes with a binary32 one only.
BLURRED = {
    "Scores rounded to binary16",
    "KV cache of binary16",
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutant_decoders_exceed_the_bounds(mutant: str) -> None:
    cls, rules = MUTANTS[mutant]
    ratios: dict[str, list[tuple[float, str]]] = {"f32": [], "f16": []}
    for vector in LOGITS_OF_KIT:
        if mutant in NEEDS_ROPE and "rope.inv_freq" not in exact(vector["id"])[1].vectors:
            continue
        difference = shift(cls, vector["id"])
        for cache, measured in ratios.items():
            measured.append((difference / vector["bounds"][cache], vector["id"]))
    for cache, measured in ratios.items():
        ratio, name = max(measured)
        count = sum(ratio > 1 for ratio, _ in measured)
        sys.stdout.write(
            f"{mutant} ({', '.join(rules)}), {cache}: {ratio:.3g} times the bound of {name}; {count} tell\n"
        )
        assert ratio > 1.2 or (cache == "f16" and mutant in BLURRED)


# Generation and text.


@each_vector("generate")
def test_generation_agrees_with_numpy(vector: dict[str, Any]) -> None:
    decoder = NumpyDecoder(package_of(vector))
    metadata = json.loads((package_of(vector) / "metadata.json").read_text())
    ends = metadata["tokenizer"]["eos_token_ids"] if "tokenizer" in metadata else []
    ids: list[int] = []
    room = metadata["model"]["context_length"] + 1 - len(vector["tokens"])
    while len(ids) < min(vector["max_tokens"], room):
        chosen = int(decoder.logits(vector["tokens"] + ids)[0][-1].argmax())
        if chosen in ends:
            break
        ids.append(chosen)
    assert ids == vector["expected"]
    assert vector["margin"] > 2


def test_the_tie_is_one() -> None:
    (vector,) = [vector for vector in OF["generate"] if vector["id"] == "generation-with-a-tie"]
    _, weights = tensors(package_of(vector))
    assert np.array_equal(weights["lm_head"][9], weights["lm_head"][21])
    assert np.count_nonzero(weights["lm_head"][9]) == 1
    assert 9 in vector["expected"]


@each_vector("tokenize")
def test_tokenize_agrees_with_the_library(vector: dict[str, Any]) -> None:
    package = package_of(vector)
    settings = json.loads((package / "tokenizer.json").read_text())
    settings |= {"padding": None, "truncation": None}  # LLQ-TOK-1: neither has an effect on the ids
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(settings))
    bos = json.loads((package / "metadata.json").read_text())["tokenizer"]["bos_token_id"]
    ids = tokenizer.encode(vector["text"], add_special_tokens=False).ids
    if bos is not None and ids[:1] != [bos]:
        ids = [bos, *ids]
    assert ids == vector["ids"]
    assert tokenizer.decode(ids, skip_special_tokens=True) == vector["decoded"]


@each_of([vector for vector in OF["generate"] if "recipe" not in vector])
def test_tokenizers_of_generation_can_be_loaded(vector: dict[str, Any]) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(package_of(vector) / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 40
