"""`llq run`: text generation with the reference decoder or WebGPU."""

import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from llq_format.cli.failures import INTERRUPTED, about
from llq_format.cli.generators import reference_generator, webgpu_generator
from llq_format.cli.options import Json, PackagePath
from llq_format.cli.terminal import print_json, print_line, printable, stderr

if TYPE_CHECKING:
    from llq_format.package.reader import Package
    from llq_format.reference.text import TextTokenizer

Runtime = Literal["reference", "webgpu"]


def run(  # noqa: PLR0913  # one argument an option
    path: PackagePath,
    prompt: Annotated[
        str | None,
        typer.Argument(
            metavar="PROMPT",
            help="Text to continue, or with --chat a message to answer.",
            show_default=False,
        ),
    ] = None,
    *,
    ids: Annotated[
        str | None,
        typer.Option(
            metavar="IDS",
            help="Token ids to continue, such as 1,2,3, in place of PROMPT. Packages without a tokenizer "
            "print token ids.",
            show_default=False,
        ),
    ] = None,
    chat: Annotated[
        bool, typer.Option("--chat", help="Apply the chat template of the package to PROMPT.")
    ] = False,
    max_tokens: Annotated[
        int, typer.Option(metavar="N", min=1, help="Maximum number of tokens to generate.")
    ] = 128,
    temperature: Annotated[
        float,
        typer.Option(metavar="T", min=0.0, help="Sampling temperature; 0 always selects the top-1 token."),
    ] = 0.0,
    top_k: Annotated[
        int | None, typer.Option(metavar="K", min=1, help="Sample from the K most probable tokens only.")
    ] = None,
    top_p: Annotated[
        float,
        typer.Option(
            metavar="P",
            min=0.0,
            max=1.0,
            help="Sample from the most probable tokens whose probabilities add up to P.",
        ),
    ] = 1.0,
    min_p: Annotated[
        float,
        typer.Option(
            metavar="P",
            min=0.0,
            max=1.0,
            help="Sample only from tokens whose probability is at least P times that of the top-1 token.",
        ),
    ] = 0.0,
    repetition_penalty: Annotated[
        float,
        typer.Option(
            metavar="R",
            help="Divide positive logits of tokens in prompt and output by R, and multiply other logits.",
        ),
    ] = 1.0,
    logit_bias: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID:BIAS",
            help="Add a number to the logit of a token id, such as 42:-5. Can be repeated.",
            show_default=False,
        ),
    ] = None,
    logprobs: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Print log-probabilities of each token and of the N most probable tokens (with --json).",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Random seed; the same seed produces the same text.")
    ] = 0,
    runtime: Annotated[
        Runtime,
        typer.Option(help="Runtime: the exact reference decoder, or WebGPU (requires the extra `webgpu`)."),
    ] = "reference",
    adapter: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Part of an adapter's name; `llq devices` lists the names.",
            show_default=False,
        ),
    ] = None,
    variant: Annotated[
        str, typer.Option(metavar="NAME", help="Kernel variant; best selects the last variant that works.")
    ] = "best",
    context: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Capacity of the KV cache, in positions (default: as needed).",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Generate text from a prompt.

    Prints the text as it is generated. Then prints the time to the first token and the speed in tokens per
    second on standard error.

    Example: llq run smollm2 "The capital of France is" --max-tokens 20

    Example: llq run smollm2 "Write a haiku about sunrise." --chat --temperature 0.7 --seed 1

    Example: llq run smollm2 "Once upon a time" --runtime webgpu --adapter lavapipe

    Example: llq run tiny --ids 1,2,3 --max-tokens 8
    """
    if (prompt is None) == (ids is None):
        raise typer.BadParameter("expected either PROMPT or --ids", param_hint="'PROMPT'")
    if chat and prompt is None:
        raise typer.BadParameter("--chat requires PROMPT: remove --ids", param_hint="'--chat'")
    if logprobs is not None and not json:
        raise typer.BadParameter("--logprobs requires --json", param_hint="'--logprobs'")
    prompt_ids = None if ids is None else _parsed(ids)
    biases = dict(map(_parsed_bias, logit_bias or ()))
    if runtime == "reference" and (adapter, variant, context) != (None, "best", None):
        raise typer.BadParameter("--adapter, --variant and --context require --runtime webgpu")
    from llq_format.package.reader import open as open_package  # noqa: PLC0415  # starts fast without NumPy's weight
    from llq_format.reference.adjusting import Adjustment  # noqa: PLC0415
    from llq_format.reference.generation import Choice, Sampling  # noqa: PLC0415
    from llq_format.reference.log_probabilities import token_logprob  # noqa: PLC0415

    with about(path), open_package(path) as package:
        tokenizer = _tokenizer(package, required=prompt is not None)
        tokens = _prompt_tokens(package, tokenizer, prompt, prompt_ids, chat=chat)
        reported: list[Any] = []
        choice = Choice(
            Sampling(temperature, top_k, top_p, seed, min_p),
            Adjustment(repetition_penalty, biases),
            on_logits=None
            if logprobs is None
            else lambda token, logits: reported.append(token_logprob(logits, token, logprobs)),
        )
        if runtime == "webgpu":
            generator = webgpu_generator(package, len(tokens) + max_tokens, adapter, variant, context)
        else:
            generator = reference_generator(package)
        progress = _Progress(visible=not json)
        ends = () if tokenizer is None else tokenizer.entry.eos_token_ids
        with closing(generator.tokens(tokens, max_tokens, ends, choice)) as stream:
            noted = map(progress.note, stream)
            try:
                for piece in _id_texts(noted) if tokenizer is None else tokenizer.stream(noted):
                    progress.show(piece)
            except KeyboardInterrupt:
                progress.interrupted = True
    figures = {
        "prompt_tokens": len(tokens),
        "tokens": len(progress.tokens),
        "finish_reason": progress.finish_reason(max_tokens, generator.context, len(tokens)),
        **progress.times(),
        **generator.facts(),
    }
    if json:
        text = None if tokenizer is None else "".join(progress.pieces)
        members = {} if logprobs is None else {"logprobs": [one.to_json() for one in reported]}
        print_json({"text": text, "token_ids": progress.tokens, **members, **figures})
    else:
        sys.stdout.write("\n")
        print_line(stderr(), _sentence(figures), "dim")
    if progress.interrupted:
        raise typer.Exit(INTERRUPTED)


def _parsed(ids: str) -> list[int]:
    """Return token ids that are separated by commas or spaces."""
    words = ids.replace(",", " ").split()
    wrong = [word for word in words if not (word.isascii() and word.isdigit())]
    if wrong or not words:
        found = printable(wrong[0]) if wrong else "no token ids"
        raise typer.BadParameter(
            f"found {found}, expected token ids that are separated by commas, such as 1,2,3",
            param_hint="'--ids'",
        )
    return [int(word) for word in words]


def _parsed_bias(text: str) -> tuple[int, float]:
    """Return an id and its bias."""
    token, _, bias = text.partition(":")
    try:
        if token.isascii() and token.isdigit():
            return int(token), float(bias)
    except ValueError:
        pass
    raise typer.BadParameter(
        f"found {printable(text)}, expected a token id and a number, such as 42:-5",
        param_hint="'--logit-bias'",
    )


def _tokenizer(package: "Package", *, required: bool) -> "TextTokenizer | None":
    """Return the tokenizer of a package, or None where it has none and none is required."""
    from llq_format.reference.text import TextTokenizer  # noqa: PLC0415  # an extra

    if package.metadata.tokenizer is None:
        if required:
            raise ValueError("this package has no tokenizer: pass token ids, such as --ids 1,2,3")
        return None
    return TextTokenizer(package)


def _prompt_tokens(
    package: "Package",
    tokenizer: "TextTokenizer | None",
    prompt: str | None,
    ids: list[int] | None,
    *,
    chat: bool,
) -> list[int]:
    """Return the tokens of the prompt. Raises ValueError if there are none, or if the model lacks one."""
    tokens = ids or []
    if tokenizer is not None and prompt is not None:
        message = {"role": "user", "content": prompt}
        tokens = tokenizer.encode_chat([message]) if chat else tokenizer.encode(prompt)
    if not tokens:
        raise ValueError("the prompt has no tokens: pass a text that is not empty, or --ids")
    model = package.metadata.model
    if model is not None and max(tokens) >= model.vocab_size:
        raise ValueError(
            f"token id {max(tokens)} is not in the vocabulary: expected ids less than {model.vocab_size}"
        )
    return tokens


def _id_texts(tokens: Iterator[int]) -> Iterator[str]:
    """Yield token ids as text, separated by commas."""
    for number, token in enumerate(tokens):
        yield f",{token}" if number else f"{token}"


@dataclass
class _Progress:
    """The generated tokens and their times."""

    visible: bool
    tokens: list[int] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)
    start: float = field(default_factory=time.perf_counter)
    first: float | None = None
    last: float | None = None
    interrupted: bool = False

    def note(self, token: int) -> int:
        """Record a token that was just generated."""
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.tokens.append(token)
        return token

    def show(self, piece: str) -> None:
        """Print a piece of text."""
        self.pieces.append(piece)
        if self.visible:
            sys.stdout.write("".join(c if c in "\n\t" else printable(c) for c in piece))
            sys.stdout.flush()

    def finish_reason(self, max_tokens: int, context: int, prompt_tokens: int) -> str:
        """Return the reason why generation stopped."""
        if self.interrupted:
            return "interrupted"
        if len(self.tokens) == max_tokens:
            return "length"
        return "context" if prompt_tokens + len(self.tokens) > context else "stop"

    def times(self) -> dict[str, float | None]:
        """Return the seconds to the first token and the tokens per second after it."""
        if self.first is None or self.last is None:
            return {"first_token_seconds": None, "tokens_per_second": None}
        duration = self.last - self.first
        rate = round((len(self.tokens) - 1) / duration, 2) if duration > 0 else None
        return {"first_token_seconds": round(self.first - self.start, 3), "tokens_per_second": rate}


def _sentence(figures: dict[str, Any]) -> str:
    parts = [f"{figures['tokens']} tokens"]
    if figures["first_token_seconds"] is not None:
        parts.append(f"first token after {figures['first_token_seconds']:.2f} s")
    if figures["tokens_per_second"] is not None:
        parts.append(f"{figures['tokens_per_second']} tokens/s after it")
    if figures["finish_reason"] in ("context", "interrupted"):
        parts.append("the context is full" if figures["finish_reason"] == "context" else "interrupted")
    if "adapter" in figures:
        parts.append(f"{figures['variant']} on {figures['adapter']}")
    if figures.get("devices_lost"):
        parts.append("the device was lost once and reopened")
    return ", ".join(parts)
