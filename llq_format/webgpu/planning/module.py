"""The WGSL module: kernels as sections of one text (spec: WGSL module).

The file itself is the portable variant; the sections of other variants are in block comments.
"""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from llq_format.webgpu.planning.variants import AFFINE_KERNELS, VARIANTS, Variant

_SECTION = re.compile(r"^(//|/\*): begin (\w+)\n(.*?)^(?://: end \2|end \2 :\*/)\n", re.DOTALL | re.MULTILINE)


@cache
def kernel_sections(*, affine: bool = False) -> Mapping[str, str]:
    """Return the text of each section by name, from the kernel files.

    affine: whether the module is for packages that require `LLQ_attention_affine`.
    """
    folder = files("llq_format.webgpu") / "kernels"
    files_by_name = {
        entry.name.removesuffix(".wgsl"): entry for entry in folder.iterdir() if entry.name.endswith(".wgsl")
    }
    names = dict.fromkeys(name for variant in VARIANTS for name in variant.sections)
    all_names = (*names, *(AFFINE_KERNELS if affine else ()))
    return {name: files_by_name[name].read_text(encoding="utf-8") for name in all_names}


def write_module(sections: Mapping[str, str]) -> str:
    """Return the text of the module file: every section once, those of the portable variant uncommented."""
    portable = (*VARIANTS[0].sections, *AFFINE_KERNELS)

    def framed(name: str) -> str:
        text = sections[name]
        return (
            f"//: begin {name}\n{text}//: end {name}\n"
            if name in portable
            else f"/*: begin {name}\n{text}end {name} :*/\n"
        )

    return "".join(framed(name) for name in sections)


def read_module(text: str) -> dict[str, str]:
    """Return the sections of a module file by name."""
    return {match[2]: match[3] for match in _SECTION.finditer(text)}


def source(sections: Mapping[str, str], variant: Variant) -> str:
    """Return the WGSL of a variant. Raises KeyError for an unknown section."""
    return "\n".join([*variant.directives, *(sections[name] for name in variant.sections)])
