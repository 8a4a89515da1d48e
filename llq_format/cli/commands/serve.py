"""`llq serve`: a package and a page that generates text, for a browser."""

import sys
import webbrowser
from importlib.util import find_spec
from typing import Annotated

import typer

from llq_format.cli.failures import about
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.terminal import print_fields, print_json, print_line, stderr, stdout

PORT = 8000


def serve(  # noqa: PLR0913  # one argument an option
    path: PackagePath,
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="0 is any free port.")] = PORT,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open a browser, if this is a terminal.")
    ] = True,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Let pages of this origin read the package, such as https://example.org; * for all. May be "
            "given several times.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Serve a package and the demo page.

    The page is at /, the package below /model/. Browsers run WebGPU on pages of this machine and on https
    alone: another device needs a proxy with a certificate in front. Ctrl-C ends it.

    Example: llq serve smollm2

    Example: llq serve smollm2 --port 0 --no-open --json
    """
    if find_spec("starlette") is None or find_spec("uvicorn") is None:
        raise ValueError("this needs starlette and uvicorn: pip install 'llq-format[serve]'")
    from llq_format.package.reader import open as open_package  # noqa: PLC0415  # starts fast without NumPy's weight
    from llq_format.serving.application import LOOPBACK, application  # noqa: PLC0415
    from llq_format.serving.server import listening, run, url_of  # noqa: PLC0415
    from llq_format.serving.web_files import web_folder  # noqa: PLC0415

    with about(path), open_package(path) as package:
        metadata, directory = package.metadata, package.directory
        if metadata.program is None or metadata.module is None:
            raise ValueError("this package has no program for a browser to run: llq program adds it")
    hosts = LOOPBACK if host in LOOPBACK else None
    app = application(directory, metadata, web_folder(), origins=allow_origin or (), hosts=hosts)
    bound = listening(host, port)
    url = url_of(bound, host)

    def ready() -> None:
        if metadata.tokenizer is None:
            print_line(stderr(), "this package has no tokenizer: the page can load it, not talk to it")
        if json:
            print_json({"url": url, "model": f"{url}model/", "path": str(directory), "stem": metadata.stem})
        else:
            size = sum(entry.byte_length for entry in metadata.files) / 1e6
            package_text = f"{url}model/ ({metadata.stem}, {size:,.1f} MB)"
            print_fields(stdout(), [("page", url), ("package", package_text)], indent=0)
            print_line(stderr(), "Ctrl-C ends it", "dim")
        sys.stdout.flush()
        if open_ and not json and sys.stdout.isatty():
            webbrowser.open(url)

    run(app, bound, ready)
