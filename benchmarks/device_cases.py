"""Loss of the device, a model that is too large for it, and two models at once: in Chromium, one line a case.

`python -m benchmarks.device_cases DIR` writes two packages to DIR unless they are there: a small one, and the
metadata and program of one that is larger than any GPU. Then it drives the Chromium on the path. With DIR
complete, it needs Python, Chromium and `web/dist/webgpu-llama4.js` only, and runs as a script of its own too:
`python device_cases.py DIR --bundle webgpu-llama4.js --page device_cases_page.html`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

if __package__:
    from benchmarks.loading import Site, add_browser_options, visit
else:
    from loading import Site, add_browser_options, visit  # type: ignore[import-not-found,no-redef]

PAGE = Path(__file__).parent / "device_cases_page.html"
SMALL, LARGE = "model", "large"
"""Folders of the packages, which are in the addresses too."""

CASES = 6


class CaseSite(Site):
    """A server of both packages, which knows whether weights of the large one were requested."""

    def __init__(self, directory: Path, bundle: Path, page: Path, *, large: bool) -> None:
        super().__init__(directory / SMALL, bundle, page, {"large": large})
        self._large = directory / LARGE
        self.requested_weights: list[str] = []

    def take(self, event: dict[str, Any]) -> None:
        """Take a report of the page, and print the one of a case."""
        super().take(event)
        if event["event"] == "case":
            print(f"{'ok  ' if event['ok'] else 'FAIL'} {event['name']}: {event['detail']}", flush=True)

    def file(self, path: str) -> Path | None:
        """Return the file of an address."""
        prefix = f"/{LARGE}/"
        if not path.startswith(prefix):
            return super().file(path)
        if path.endswith(".llq"):
            self.requested_weights.append(path)
        file = self._large / Path(path).name
        return file if file.is_file() else None


def write_packages(directory: Path) -> None:
    """Write what is missing of the two packages."""
    from llq_format.metadata.metadata import FILE_NAME  # noqa: PLC0415  # not needed where they are there
    from llq_format.metadata.model import tensor_roles  # noqa: PLC0415
    from llq_format.package.record_writer import TensorPlan  # noqa: PLC0415
    from llq_format.package.writer import PackageWriter  # noqa: PLC0415
    from llq_format.synth import GEOMETRIES, synth  # noqa: PLC0415
    from llq_format.webgpu.planning.program_files import PROGRAM, package_files  # noqa: PLC0415

    class Plan(PackageWriter):
        """A package without its shards."""

        def write(self, folder: Path) -> None:
            """Write all files except shards."""
            folder.mkdir()
            metadata = self._planned().sealed()
            entries = [entry for entry in (metadata.module, metadata.program) if entry is not None]
            for entry, data in zip(entries, self._files.values(), strict=True):
                (folder / entry.file).write_bytes(data)
            (folder / FILE_NAME).write_bytes(metadata.to_bytes())

    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / SMALL).exists():
        synth("smollm2-135m", directory / SMALL, layers=4)
    if not (directory / LARGE).exists():
        model = GEOMETRIES["llama-4-maverick"]
        plans = [
            TensorPlan(role.name, "int4_affine" if "int4_affine" in role.dtypes else "f32", role.shape)
            for role in tensor_roles(model)
        ]
        files = package_files(PROGRAM, model)
        Plan(directory / LARGE, plans, stem="large", model=model, **files).write(directory / LARGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try all cases and print what came of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument(
        "--no-large", action="store_true", help="Leave the large model out: software adapters have no limit."
    )
    parser.add_argument("--page", type=Path, default=PAGE)
    add_browser_options(parser)
    options = parser.parse_args(arguments)
    if not ((options.directory / SMALL).exists() and (options.directory / LARGE).exists()):
        write_packages(options.directory)
    site = CaseSite(options.directory, options.bundle, options.page, large=not options.no_large)
    finished = visit(site, options)
    cases = [event for event in site.events if event["event"] == "case"]
    ends = [event for event in site.events if event["event"] == "end" and event.get("error")]
    for end in ends:
        print(end["error"])
    if site.requested_weights:
        print(f"FAIL {len(site.requested_weights)} requests for weights of the large model")
    ok = finished and not ends and not site.requested_weights and all(case["ok"] for case in cases)
    return 0 if ok and len(cases) == CASES - options.no_large else 1


if __name__ == "__main__":
    sys.exit(main())
