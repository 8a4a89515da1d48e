"""The reference implementation as a runtime."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

import llq_format
from llq_format.format.layout import is_int4
from llq_format.package.reader import Package
from llq_format.reference import Decoder, adjusting
from llq_format.reference import sampling as reference_sampling
from llq_format.reference.activations import quantize_int8, round_binary16
from llq_format.reference.attention import KVPrecision
from llq_format.reference.generation import generate
from llq_format.reference.matrix import FloatMatrix, int4_matrix
from llq_format.reference.observation import Observe
from llq_format.reference.text import TextTokenizer

from ..core.runtime import Adjustment, Format, Info, Reals, Rounded, Sampling, Tokenized, Verdict
from .trace_recorder import TraceRecorder

EXTENSIONS = ("LLQ_attention_affine",)
"""The extensions that `llq_format` implements, with both of its executors."""

COMPUTES = frozenset({"activations", "matvec", "logits", "trace", "generate", "sample", "adjust"})


def _version() -> str:
    try:
        return version("llq-format")
    except PackageNotFoundError:  # run from a source tree
        return ""


class Reference:
    """Adapts the public interface of `llq_format`."""

    capabilities = frozenset({"decode", "reject"}) | COMPUTES

    def __init__(
        self, kv_cache: Literal["f32", "f16"] = "f32", opened: Callable[[Path], Package] = llq_format.open
    ) -> None:
        """Choose a KV cache and who opens packages; claim `tokenize` too where the library is installed."""
        self._open = opened
        self.info = Info("llq-format", _version(), "Python", kv_cache, EXTENSIONS)
        self._kv_cache: KVPrecision = "float32" if kv_cache == "f32" else "float16"
        if find_spec("tokenizers"):
            self.capabilities |= {"tokenize"}

    def decode(self, package: Path, tensor: str) -> NDArray[np.float32]:
        """Return the weights of one tensor."""
        with self._open(package) as opened:
            return opened.get_tensor(tensor)

    def validate(self, package: Path) -> Verdict:
        """Return the rules of all findings, in their order."""
        findings = llq_format.validate(package)
        rules = {
            severity: [f.rule for f in findings if f.severity == severity]
            for severity in ("error", "warning")
        }
        return Verdict(tuple(rules["error"]), tuple(rules["warning"]))

    def activations(self, x: NDArray[np.float32], form: Format) -> Rounded:
        """Round vectors."""
        if form == "binary16":
            return Rounded(round_binary16(x.astype(np.float64)).astype(np.float32))
        codes, scales = quantize_int8(x.astype(np.float64))
        return Rounded(codes.astype(np.float32), scales[:, 0])

    def matvec(self, package: Path, tensor: str, form: Format, x: NDArray[np.float32]) -> Reals:
        """Multiply rounded vectors by a matrix."""
        with self._open(package) as opened:
            if is_int4(opened.entry(tensor).dtype):
                return int4_matrix(opened.get_packed(tensor), form)(x.astype(np.float64))
            return FloatMatrix(opened.get_tensor(tensor), "binary16")(x.astype(np.float64))

    def logits(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Reals:
        """Compute a new sequence, `splits` tokens at a time."""
        with self._open(package) as opened:
            decoder = Decoder(opened, kv_cache=self._kv_cache)
        sequence = decoder.start()
        ends = np.cumsum(splits)[:-1]
        return np.concatenate([decoder.forward(run, sequence) for run in np.split(np.array(tokens), ends)])

    def trace(self, package: Path, tokens: Sequence[int], splits: Sequence[int]) -> Mapping[str, Reals]:
        """Compute a new sequence and return the results of all operations by name."""
        recorder = TraceRecorder(len(tokens))
        self.observed(package, tokens, splits, recorder)
        return recorder.tensors()

    def observed(self, package: Path, tokens: Sequence[int], splits: Sequence[int], observe: Observe) -> None:
        """Compute a new sequence under an observer."""
        with self._open(package) as opened:
            decoder = Decoder(opened, kv_cache=self._kv_cache)
        sequence = decoder.start()
        for run in np.split(np.array(tokens), np.cumsum(splits)[:-1]):
            decoder.forward(run, sequence, observe)

    def generate(self, package: Path, tokens: Sequence[int], max_tokens: int) -> Sequence[int]:
        """Return the tokens that greedy choice appends to a prompt."""
        with self._open(package) as opened:
            decoder = Decoder(opened, kv_cache=self._kv_cache)
            tokenizer = opened.metadata.tokenizer
        ends = tuple(tokenizer.eos_token_ids) if tokenizer else ()
        return list(generate(decoder, list(tokens), max_tokens, ends))

    def sample(self, logits: NDArray[np.float32], sampling: Sampling, count: int) -> Sequence[int] | None:
        """Draw the tokens of consecutive positions from the same logits."""
        try:
            parameters = reference_sampling.Sampling(
                sampling.temperature, sampling.top_k, sampling.top_p, sampling.seed
            )
        except ValueError:
            return None
        wide = logits.astype(np.float64)
        positions = range(sampling.position, sampling.position + count)
        return [reference_sampling.choose(wide, parameters, position) for position in positions]

    def adjust(
        self, logits: NDArray[np.float32], sampling: Sampling, adjustment: Adjustment, count: int
    ) -> Sequence[int] | None:
        """Draw the tokens of consecutive positions from the same logits, adjusted."""
        wide, ids = logits.astype(np.float64), list(adjustment.sequence)
        mask = None if adjustment.mask is None else np.array(adjustment.mask, np.uint32)
        try:
            parameters = reference_sampling.Sampling(
                sampling.temperature, sampling.top_k, sampling.top_p, sampling.seed, adjustment.min_p
            )
            change = adjusting.Adjustment(adjustment.repetition_penalty, dict(adjustment.logit_bias))
            for position in range(sampling.position, sampling.position + count):
                ids.append(
                    adjusting.choose_adjusted(wide, parameters, change, position, sequence=ids, mask=mask)
                )
        except ValueError:
            return None
        return ids[len(adjustment.sequence) :]

    def tokenize(self, package: Path, text: str) -> Tokenized:
        """Encode a prompt, then detokenize the ids."""
        with self._open(package) as opened:
            tokenizer = TextTokenizer(opened)
        ids = tokenizer.encode(text)
        return Tokenized(tuple(ids), tokenizer.decode(ids))

    def close(self) -> None:
        """Do nothing: there are no resources."""
