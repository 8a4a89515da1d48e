"""The page docs/architectures.md: `python -m tests.support.architectures_page > docs/architectures.md`."""

import sys
import tempfile
from pathlib import Path

import transformers

from llq_format.exporting.checkpoint import open_checkpoint
from llq_format.exporting.checkpoint.families import GGUF, HUGGING_FACE, UNSUPPORTED, listing
from llq_format.exporting.checkpoint.pre_tokenizers import PRE_TOKENIZERS
from tests.support.family_models import MODELS, TOKENS, TinyModel, logits, write_directory, write_gguf
from tests.support.plain_decoder import checkpoint_logits, relative_difference

HEAD = """# Architectures that `llq export` reads

This page is written by a command: `python -m tests.support.architectures_page > docs/architectures.md`.

LLQ has the decoder of Llama and Llama 4 (text).
A model of another name is exported if its arithmetic is the same, or if its tensors can carry the difference:

* **Granite** multiplies embeddings, residuals, scores and logits by constants.
  The embedding, the final norm, the rows of q and `rms_norm_eps` carry these constants.
* **YaRN** multiplies q and k by a factor when it rotates them.
  The rows of q carry its square, and `rope.inv_freq` has its frequencies.
  Qwen3 has weights of a norm instead, which are binary32 and carry the square exactly.
  The scales of INT4 blocks are binary16, so only a power of two changes a scale without rounding.
  Thus q that is on the INT4 grid leaves it by up to 2^−10 of each weight.
  Other weights are rounded after they are multiplied, with the same bounds as without YaRN.
* **Phi-3** stores q, k and v in one tensor, as a package does.
* **Qwen2, Qwen2.5 and Qwen3** need the extension [`LLQ_attention_affine`](affine.md).
* Other **biases** are accepted if all of their values are zero.
* **Sliding windows** are accepted if they are at least as long as the context.

A model with another property is refused, and the message names the property.

## Supported

`llq export` reads a tiny random model, and a decoder computes the logits of 16 tokens from its tensors.
The distance is the largest difference to the logits of transformers {version}, divided by the largest logit.
Both compute in binary64; transformers rounds norms, softmax and angles to binary32.
Rounding to INT4 comes afterwards; `llq eval` measures its loss.

| configuration | `model_type` | distance, Hugging Face | `general.architecture` | distance, GGUF |
|---|---|---|---|---|
"""

REST = """
Hugging Face: {huggingface}.
GGUF: {gguf}.

GGUF does not record three properties of Llama 4: layers without RoPE, chunks and temperature.
The values of Scout and Maverick are used, as llama.cpp does.

## Not supported

| `model_type` | LLQ has no rule for |
|---|---|
{unsupported}

## Tokenizers of GGUF files

`llq export` rebuilds tokenizers of byte-level BPE (`gpt2`) and SentencePiece (`llama`) as `tokenizer.json`.
GGUF stores the name of the pre-tokenizer only.
These names are known:

{pre_tokenizers}

For any other tokenizer, pass the tokenizer of the original checkpoint with `--tokenizer FILE`.
The file is a `tokenizer.json` or a `tokenizer.model`.
`--no-tokenizer` writes a package without tokenizer.
"""


def distances(tiny: TinyModel) -> tuple[float, float | None]:
    """Return the distances of both forms; None for the form that is not written."""
    model = tiny.model()
    expected = logits(model)
    with tempfile.TemporaryDirectory() as name:
        directory = write_directory(Path(name) / "d", model)
        with open_checkpoint(directory) as checkpoint:
            one = relative_difference(checkpoint_logits(checkpoint, TOKENS), expected)
        if not tiny.architecture:
            return one, None
        path = write_gguf(Path(name) / "model.gguf", tiny, model)
        with open_checkpoint(path, tokenizer=False) as checkpoint:
            return one, relative_difference(checkpoint_logits(checkpoint, TOKENS), expected)


def _by_splits() -> dict[str, list[str]]:
    """Return the names of pre-tokenizers that split texts in the same way, by the first of them."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, pre_tokenizer in PRE_TOKENIZERS.items():
        groups.setdefault(pre_tokenizer.splits, []).append(name)
    shared = {f"as `{names[0]}`": names for names in groups.values() if len(names) > 1}
    return shared | {"others": [names[0] for names in groups.values() if len(names) == 1]}


def page() -> str:
    """Return the page."""
    lines = [HEAD.format(version=transformers.__version__)]
    for name, tiny in MODELS.items():
        one, other = distances(tiny)
        second = "–" if other is None else f"{other:.0e}"
        architecture = f"`{tiny.architecture}`" if tiny.architecture else "–"
        lines.append(f"| {name} | `{tiny.config.model_type}` | {one:.0e} | {architecture} | {second} |\n")
    lines.append(
        REST.format(
            huggingface=", ".join(f"`{name}`" for name in HUGGING_FACE),
            gguf=", ".join(f"`{name}`" for name in GGUF),
            unsupported="\n".join(f"| `{name}` | {listing(why)} |" for name, why in UNSUPPORTED.items()),
            pre_tokenizers="\n".join(
                f"* {family}: {', '.join(f'`{name}`' for name in names)}"
                for family, names in _by_splits().items()
            ),
        )
    )
    return "".join(lines)


if __name__ == "__main__":
    sys.stdout.write(page())
