"""Wrong weights are explained by pairs of misreadings, of one step and of several."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from conformance.container.decoding import Reading
from conformance.container.misreadings import MISREADINGS, Misreading
from conformance.container.misreadings.composition import composed
from conformance.container.package import Tensor, read_tensor, tensor_names
from conformance.core.vectors import load
from conformance.diagnosis.explanation import explain

BY_NAME = {misreading.name: misreading for misreading in MISREADINGS}
PACKAGES = {vector.id: vector.package for vector in load() if vector.valid}


def tensors(package: str, selected: Callable[[Tensor], bool]) -> list[Tensor]:
    """Return some tensors of a package."""
    directory = PACKAGES[package]
    return [t for t in (read_tensor(directory, name) for name in tensor_names(directory)) if selected(t)]


def explained(selection: list[Tensor], **steps: Any) -> list[str]:
    """Return the explanations of the weights that some replaced steps yield."""
    reading = replace(Reading(), **steps)
    return list(explain([(tensor, reading(tensor)) for tensor in selection]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("high plane first", "first element at the most significant bits of a byte"),
        ("words of a plane read big-endian", "rows and columns swapped inside a block"),
    ],
)
def test_two_misreadings_of_one_step_are_named_together(first: str, second: str) -> None:
    one, other = BY_NAME[first], BY_NAME[second]
    selection = tensors("worked-example", lambda tensor: tensor.quantized)
    names = explained(selection, codes=composed("codes", one.replacement, other.replacement))
    assert f"{first}, and {second}" in names


def symmetric(tensor: Tensor) -> bool:
    return tensor.dtype == "int4_symmetric"


SECTION: tuple[Misreading, ...] = (
    BY_NAME["packed read after a zero_point section that is absent"],
    BY_NAME["zero_point read from a section that is absent"],
)


def test_a_symmetric_record_read_with_a_zero_point_section_is_named() -> None:
    selection = tensors("symmetric", symmetric)
    steps = {misreading.step: misreading.replacement for misreading in SECTION}
    assert explained(selection, **steps) == [f"{SECTION[0].name}, and {SECTION[1].name}"]
    assert explained(selection, codes=SECTION[0].replacement) == [SECTION[0].name]
