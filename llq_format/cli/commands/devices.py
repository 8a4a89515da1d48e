"""`llq devices`: the WebGPU adapters of this machine."""

from typing import Any

from llq_format.cli.options import Json
from llq_format.cli.terminal import print_json, print_line, print_table, stdout
from llq_format.cli.webgpu_extra import require_wgpu
from llq_format.webgpu.planning.planner import program_variants

_FEATURES = ("shader-f16", "subgroups", "timestamp-query")


def devices(*, json: Json = False) -> None:
    """List WebGPU adapters and the kernel variants they support.

    The preferred adapter is listed first. Pass a name, or a part of it, to `llq run --adapter`.

    Requires the extra `webgpu`: pip install 'llq-format[webgpu]'

    Example: llq devices

    Example: llq devices --json | jq -r '.[].name'
    """
    require_wgpu()
    from llq_format.webgpu.execution.adapters import adapters, supports, wgpu_feature  # noqa: PLC0415  # an extra

    rows: list[dict[str, Any]] = [
        {
            "name": str(adapter.info["device"]),
            "type": str(adapter.info["adapter_type"]),
            "backend": str(adapter.info["backend_type"]),
            "driver": str(adapter.info["description"]),
            "features": [name for name in _FEATURES if wgpu_feature(name) in adapter.features],
            "variants": [variant.name for variant in program_variants() if supports(adapter, variant)],
        }
        for adapter in adapters()
    ]
    if json:
        print_json(rows)
        return
    if not rows:
        print_line(
            stdout(),
            "no WebGPU adapter found: without a GPU, install a software adapter, such as Debian's "
            "mesa-vulkan-drivers",
        )
        return
    head = ("name", "type", "backend", "features", "variants")
    cells = [[row[h] if isinstance(row[h], str) else ", ".join(row[h]) for h in head] for row in rows]
    print_table(stdout(), head, cells, left_columns=range(len(head)))
