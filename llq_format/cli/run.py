"""`llq run`: text from a package, computed by the reference decoder."""

import sys
import time
from typing import Annotated, Any

import typer

from llq_format.cli.failures import about
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.terminal import print_json, print_line, printable, stderr


def run(  # noqa: PLR0913  # one argument an option
    path: PackagePath,
    prompt: Annotated[str, typer.Argument(metavar="PROMPT", help="What to continue, or to answer.")],
    *,
    chat: Annotated[bool, typer.Option("--chat", help="Answer, by the package's chat template.")] = False,
    max_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Stop after so many tokens.")] = 128,
    temperature: Annotated[float, typer.Option(metavar="T", min=0.0, help="0 is greedy.")] = 0.0,
    top_k: Annotated[int | None, typer.Option(metavar="K", min=1, help="Keep the K likeliest.")] = None,
    top_p: Annotated[float, typer.Option(metavar="P", min=0.0, max=1.0, help="Keep probability P.")] = 1.0,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="The same seed, the same text.")] = 0,
    json: Json = False,
) -> None:
    """Generate text with the reference decoder, as it comes.

    Example: llq run smollm2 "The capital of France is" --max-tokens 20

    Example: llq run smollm2 "Write a haiku about sunrise." --chat --temperature 0.7 --seed 1
    """
    from llq_format.reader import open as open_package  # noqa: PLC0415  # starts fast without NumPy's weight
    from llq_format.reference import Decoder  # noqa: PLC0415
    from llq_format.reference.generation import Sampling, generate  # noqa: PLC0415
    from llq_format.reference.text import TextTokenizer  # noqa: PLC0415

    with about(path), open_package(path) as package:
        tokenizer = TextTokenizer(package)
        text = tokenizer.chat([{"role": "user", "content": prompt}]) if chat else prompt
        ids = tokenizer.encode(text)
        decoder = Decoder(package)
        sampling = Sampling(temperature, top_k, top_p, seed)
        tokens: list[int] = []
        start = time.perf_counter()

        def note(token: int) -> int:
            tokens.append(token)
            return token

        stream = generate(decoder, ids, max_tokens, tokenizer.entry.eos_token_ids, sampling)
        pieces: list[str] = []
        for piece in tokenizer.stream(map(note, stream)):
            pieces.append(piece)
            if not json:
                sys.stdout.write("".join(c if c in "\n\t" else printable(c) for c in piece))
                sys.stdout.flush()
        seconds = time.perf_counter() - start
    figures: dict[str, Any] = {
        "prompt_tokens": len(ids),
        "tokens": len(tokens),
        "finish_reason": "length" if len(tokens) == max_tokens else "stop",
        "tokens_per_second": round(len(tokens) / seconds, 2),
    }
    if json:
        print_json({"text": "".join(pieces), "token_ids": tokens, **figures})
        return
    sys.stdout.write("\n")
    print_line(stderr(), f"{figures['tokens']} tokens, {figures['tokens_per_second']} tokens/s", "dim")
