"""`llq serve`: an HTTP server for a package and the demo page."""

import sys
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from llq_format.cli.failures import about
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.terminal import print_fields, print_json, print_line, stderr, stdout

PORT = 8000


def serve(  # noqa: PLR0913  # one argument an option
    path: PackagePath,
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="Port to listen on; 0 selects a free port.")
    ] = PORT,
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Address to listen on; 0.0.0.0 and :: accept connections from other machines.",
        ),
    ] = "127.0.0.1",
    open_: Annotated[
        bool,
        typer.Option("--open/--no-open", help="Open the page in a browser if standard output is a terminal."),
    ] = True,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Origin whose pages may read the package, such as https://example.org; * allows all "
            "origins. "
            "Repeat the option for several origins.",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Further name of this server that requests may use, such as the name of an HTTPS proxy. "
            "Repeat the option for several names.",
            show_default=False,
        ),
    ] = None,
    follow_links: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Follow symbolic links of the package that end within this directory, as in a cache of the "
            "Hugging Face hub. Without this option, a package with links is refused.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Serve a package and a demo page that runs it in a browser.

    The page is at /, and the files of the package are below /model/. Browsers provide WebGPU only on
    localhost and over HTTPS, so other machines need an HTTPS proxy. Requests that name another host than
    --host and --allow-host are refused. Press Ctrl-C to stop.

    Example: llq serve smollm2

    Example: llq serve smollm2 --port 0 --no-open --json

    Example: llq serve smollm2 --host 0.0.0.0 --allow-host llm.example.org

    Example: llq serve models--me--smollm2/snapshots/1a2b3c --follow-links models--me--smollm2
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ValueError("`llq serve` requires starlette and uvicorn: pip install 'llq-format[serve]'")
    from llq_format.package.reader import open as open_package  # noqa: PLC0415  # starts fast without NumPy's weight
    from llq_format.serving.application import application  # noqa: PLC0415
    from llq_format.serving.hosts import accepts_other_machines, allowed_hosts  # noqa: PLC0415
    from llq_format.serving.links import Links  # noqa: PLC0415
    from llq_format.serving.server import listening, run, url_of  # noqa: PLC0415
    from llq_format.serving.web_files import web_folder  # noqa: PLC0415
    from llq_format.validation.package_files import package_directory  # noqa: PLC0415

    links = None if follow_links is None else Links(follow_links)
    with about(path):
        if links is None:
            with open_package(path) as package:
                metadata, directory = package.metadata, package.directory
        else:
            directory = package_directory(path)
            metadata = links.metadata(directory)
        if metadata.program is None or metadata.module is None:
            raise ValueError("this package has no execution program: run `llq program` to add it")
    allows = allowed_hosts(host, allow_host or ())
    app = application(
        directory, metadata, web_folder(), origins=allow_origin or (), allows=allows, links=links
    )
    bound = listening(host, port)
    url = url_of(bound, host)

    def ready() -> None:
        if accepts_other_machines(host):
            print_line(
                stderr(),
                f"warning: --host {host} lets other machines of the network read this package; "
                "use --host 127.0.0.1 to serve this machine only",
            )
        if metadata.tokenizer is None:
            print_line(
                stderr(),
                "warning: this package has no tokenizer, so the page can load it but cannot generate text",
            )
        if json:
            print_json({"url": url, "model": f"{url}model/", "path": str(directory), "stem": metadata.stem})
        else:
            size = sum(entry.byte_length for entry in metadata.files) / 1e6
            package_text = f"{url}model/ ({metadata.stem}, {size:,.1f} MB)"
            print_fields(stdout(), [("page", url), ("package", package_text)], indent=0)
            print_line(stderr(), "press Ctrl-C to stop", "dim")
        sys.stdout.flush()
        if open_ and not json and sys.stdout.isatty():
            webbrowser.open(url)

    run(app, bound, ready)
