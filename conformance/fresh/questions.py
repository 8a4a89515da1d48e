"""Random questions of each check: what is drawn, and the answers that the kit computes."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from .kit import kit

Json = Any
Answer = tuple[dict[str, Json], dict[str, bytes]]
"""The members of an entry of the index, and files by their paths."""

INT8_MARGIN, ROUTER_MARGIN = 2.0**-10, 2.0**-12
"""Minimum distance of every INT8 input from a rounding boundary, and of every router decision from a tie."""

STORED = ("int4_affine", "int4_symmetric", "f16", "f32")


class Question(Protocol):
    """A vector before its answer is computed; its representation says all that was drawn.

    kind: of vectors. rules: what a wrong answer breaks.
    """

    @property
    def kind(self) -> str:
        """Return the kind of vectors that it becomes."""

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the rules that it tests."""

    def answer(self, home: str) -> Answer:
        """Return members and files below a home.

        Raises ValueError if legal executions may answer differently, or if a tensor fits no shard.
        """


@dataclass(frozen=True)
class RandomTensor:
    """A tensor without a model: any legal block, any finite value. One of one dimension has no cols."""

    name: str
    dtype: str
    rows: int
    cols: int | None
    seed: int

    def tensor(self) -> Any:
        """Return the tensor of the kit."""
        noise = kit("noise")
        if self.dtype in ("f16", "f32"):
            bits = noise.finite16 if self.dtype == "f16" else noise.finite32
            shape = (self.rows,) if self.cols is None else (self.rows, self.cols)
            return kit("tensor").Raw(self.name, self.dtype, shape, lambda index: bits(self.seed, index))
        cols = self.cols or 1

        def zero_point(i: int, j: int) -> int:
            return int(noise.noise(self.seed + 2, 1000 * i + j) % 256 - 128)

        return kit("tensor").Int4(
            self.name,
            (self.rows, cols),
            code=lambda r, c: noise.noise(self.seed, r * cols + c) >> 9 & 15,
            # Up to 5EFF, the product with 143 stays below 65504, whatever the zero_point (DEQ-2).
            scale=lambda i, j: 0x0400 + noise.noise(self.seed + 1, 1000 * i + j) % 0x5B00,
            zero_point=zero_point if self.dtype == "int4_affine" else None,
        )


@dataclass(frozen=True)
class RandomModel:
    """A model and how its tensors are filled.

    dtypes: by the last component of a tensor's name. zero_points: those of affine blocks.
    affine: the choices of `LLQ_attention_affine` for each layer; empty without the extension.
    """

    model: Json
    seed: int
    dtypes: dict[str, str]
    zero_points: tuple[int, ...]
    shard_limit: int
    affine: tuple[dict[str, bool], ...] = ()

    def subject(self) -> Any:
        """Return the subject of the kit; its package has the shard limit that was drawn."""
        style = kit("weights").Style(dtypes=self.dtypes, zero_points=self.zero_points)
        sequences, package, limit = kit("sequences"), kit("package"), self.shard_limit

        class Limited(sequences.Subject):  # type: ignore[misc,name-defined]  # the kit has no static place
            def package(self) -> Any:
                members = kit("affine").members(self.affine)
                return package.assemble(self.tensors(), model=self.model, shard_limit=limit, **members)

        return Limited(self.model, self.seed, style, affine=self.affine)


@dataclass(frozen=True)
class RandomPackage:
    """A conforming package, with a model or with tensors alone; the answer is all weights."""

    contents: RandomModel | tuple[RandomTensor, ...]
    shard_limit: int
    eos_token_ids: tuple[int, ...] | None = None
    kind: ClassVar[str] = "valid"
    rules: ClassVar[tuple[str, ...]] = ("LLQ-DEQ-3", "LLQ-RAW-3", "LLQ-PART-10")

    def answer(self, home: str) -> Answer:
        """Return the weights, and the package."""
        package, tensors = self._package()
        files = {f"{home}/package/{name}": data for name, data in package.seal().files.items()}
        arrays = {tensor.name: f"{home}/expected/{tensor.name}.npy" for tensor in tensors}
        npy = kit("npy").npy
        files |= {arrays[tensor.name]: npy(tensor.shape, tensor.weights()) for tensor in tensors}
        warns = isinstance(self.contents, RandomModel) and self.eos_token_ids is None
        warnings = ["LLQ-PKG-10"] if warns else []
        needs = self.contents.subject().needs() if isinstance(self.contents, RandomModel) else {}
        return {"path": f"{home}/package", "tensors": arrays, "warnings": warnings, **needs}, files

    def _package(self) -> tuple[Any, list[Any]]:
        if not isinstance(self.contents, RandomModel):
            tensors = [tensor.tensor() for tensor in self.contents]
            return kit("package").assemble(tensors, shard_limit=self.shard_limit), tensors
        subject = self.contents.subject()
        package = subject.package()
        if self.eos_token_ids is not None:
            text = kit("tokenizer").plain_tokenizer(self.contents.model["vocab_size"])
            ids = {"bos_token_id": None, "eos_token_ids": list(self.eos_token_ids), "chat_template": None}
            package.attach("tokenizer", "tokenizer.json", text, **ids)
        return package, subject.tensors()


@dataclass(frozen=True)
class RandomMatvec:
    """A matrix times rounded vectors, whose elements are up to 2^exponent."""

    form: str
    matrix: RandomTensor
    exponent: int
    count: int
    seed: int
    kind: ClassVar[str] = "matvec"
    rules: ClassVar[tuple[str, ...]] = ("LLQ-NUM-3",)

    def answer(self, home: str) -> Answer:
        """Return the inputs, the products and their error bounds, and the package."""
        cols, largest = self.matrix.cols or 1, 2.0**self.exponent
        between = kit("weights").between
        rows = [
            [between(self.seed, row * cols + index, -largest, largest) for index in range(cols)]
            for row in range(self.count)
        ]
        return _answer(kit("rounding").Matvec(self.form, self.matrix.tensor(), rows), home)


@dataclass(frozen=True)
class RandomLogits:
    """The logits of a prompt; every legal execution makes the same decisions."""

    model: RandomModel
    tokens: tuple[int, ...]
    splits: tuple[tuple[int, ...], ...]
    kind: ClassVar[str] = "logits"
    rules: ClassVar[tuple[str, ...]] = ("LLQ-NUM-4", "LLQ-DEC-17")

    def answer(self, home: str) -> Answer:
        """Return the logits, their bounds, and the package."""
        logits = kit("sequences").Logits
        prompt, subject = list(self.tokens), self.model.subject()
        return _answer(logits(subject, prompt, INT8_MARGIN, ROUTER_MARGIN, self.splits), home)


@dataclass(frozen=True)
class RandomGeneration:
    """The tokens that follow a prompt; every legal execution chooses the same."""

    model: RandomModel
    tokens: tuple[int, ...]
    max_tokens: int
    eos_token_ids: tuple[int, ...] = field(default=())
    kind: ClassVar[str] = "generate"
    rules: ClassVar[tuple[str, ...]] = ("LLQ-GEN-1", "LLQ-GEN-2")

    def answer(self, home: str) -> Answer:
        """Return the tokens, and the package."""
        generate = kit("sequences").Generate
        eos = list(self.eos_token_ids)
        return _answer(generate(self.model.subject(), list(self.tokens), self.max_tokens, eos), home)


def _answer(question: Any, home: str) -> Answer:
    members, files = question.answer(home)
    return members, files
