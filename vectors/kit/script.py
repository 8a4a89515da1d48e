"""A model that generates a known text, with a tokenizer: for questions in text instead of ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Any

from vectors.kit.affine import BIAS, Affine
from vectors.kit.decoder import Weights
from vectors.kit.model import layer, tiny
from vectors.kit.package import Package
from vectors.kit.sequences import Generate, Subject, gap
from vectors.kit.tensor import Raw, Tensor
from vectors.kit.tokenizer import Bpe
from vectors.kit.weights import Style, between, bits16

Json = Any
WIDTH = 64
START = "<|im_start|>"
QUIET = {"output": 2.0**-8, "down": 2.0**-8}  # the layers hardly count: each token alone decides the next
LOUD = {"output": 1.0, "down": 1.0}  # every token counts
CLEAR = 3.0
"""Minimum gap between the largest logit and the others: INT8 and binary16 move logits by hundredths."""

TEMPLATE = (
    "{% for message in messages %}{{ message.role }}:{{ message.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ pad_token }}{% endif %}"
)
"""A chat template without BOS, which the prompt of messages then has not either."""


def embedding(token: int, column: int) -> float:
    """Return an element of the embedding."""
    return between(97, WIDTH * token + column, -1.0, 1.0)


def scripted(path: Sequence[int], vocab_size: int, affine: Affine = (), *, loud: bool = False) -> Subject:
    """Return a model that generates each token of a path after the previous one; loud: any token of it."""
    before = {then: token for token, then in pairwise(path)}
    if len(before) != len(path) - 1 or len(set(path)) != len(path):
        raise ValueError("a token may appear in a path once")

    def raw(tensor: Tensor) -> Tensor:
        if not isinstance(tensor, Raw) or tensor.name not in {"embedding", "lm_head"}:
            return tensor

        def bits(index: int) -> int:
            token, column = divmod(index, WIDTH)
            if tensor.name == "embedding":
                return bits16(embedding(token, column))
            return bits16(embedding(before[token], column) if token in before else 0.0)

        return replace(tensor, bits=bits)

    ffn = layer(None, {"intermediate_size": WIDTH})
    shape = {"hidden_size": WIDTH, "num_heads": 4, "num_kv_heads": 2, "head_dim": 16}
    members: Json = {"layers": [ffn, ffn], "activations": {"fp16_layers": 2}}  # fewer kernels to compile
    model = tiny(**shape, vocab_size=vocab_size, context_length=256, tied_embeddings=False, **members)
    return Subject(model, 11, Style(LOUD if loud else QUIET, {"lm_head": "f16"}), raw, affine)


@dataclass(frozen=True)
class Script:
    """A tokenizer, and the path that the model goes; its last token ends the answer.

    bias: whether both layers have biases, by the extension `LLQ_attention_affine`.
    loud: whether an answer depends on all tokens before it, and not on the last alone; it is then unknown.
    """

    bpe: Bpe
    path: tuple[int, ...]
    bos: str
    bias: bool = False
    loud: bool = False

    @property
    def eos(self) -> int:
        """Return the token that ends the answer."""
        return self.path[-1]

    def subject(self) -> Subject:
        """Return the model."""
        affine = (BIAS, BIAS) if self.bias else ()
        return scripted(self.path, len(self.bpe.pieces) + len(self.bpe.special), affine, loud=self.loud)

    def rendered(self, messages: Sequence[dict[str, str]]) -> str:
        """Return the messages as the chat template renders them."""
        special = self.special_tokens()
        parts = (f"{message['role']}:{message['content']}{special['eos_token']}" for message in messages)
        return "".join(parts) + special["pad_token"]

    def special_tokens(self) -> dict[str, str]:
        """Return the texts that the metadata states for the chat template."""
        end = self.bpe.special[self.eos - len(self.bpe.pieces)]
        return {"bos_token": self.bos, "eos_token": end, "pad_token": START}


@cache
def answer_ids(script: Script, prompt: tuple[int, ...]) -> tuple[int, ...]:
    """Return the ids that the model generates for a prompt, without the end token; every choice is clear."""
    subject = script.subject()
    generate = Generate(subject, prompt, len(script.path), [script.eos])
    ids, logits = generate.choices(Weights(subject.tensors()))
    if min(map(gap, logits)) < CLEAR:
        raise ValueError(f"the smallest gap between logits is {min(map(gap, logits))}, below {CLEAR}")
    return tuple(ids)


def package_of(script: Script) -> Package:
    """Return the package of a script's model and tokenizer, without a program."""
    return (
        script.subject()
        .package()
        .attach(
            "tokenizer",
            "tokenizer.json",
            script.bpe.json(),
            bos_token_id=script.bpe.special_id(script.bos),
            eos_token_ids=[script.eos],
            chat_template=TEMPLATE,
            special_tokens=script.special_tokens(),
        )
    )
