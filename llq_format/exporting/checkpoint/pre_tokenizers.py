"""Pre-tokenizers of byte-level BPE by their names in GGUF files.

A pre-tokenizer splits a text into words, within which BPE merges. GGUF stores only its name; the expressions
are those of the tokenizer.json of the models that the names refer to. llama.cpp (MIT licence,
github.com/ggml-org/llama.cpp) lists the names and, where its regular expressions differ in form, the
original expressions.
"""

from dataclasses import dataclass

WAYS_OUT = (
    "pass the tokenizer.json or tokenizer.model of the original checkpoint with --tokenizer FILE, "
    "or write a package without tokenizer with --no-tokenizer"
)
"""What a user can do about a tokenizer that cannot be rebuilt."""

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_ENDS = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_PUNCTUATION = r"| ?[^\s\p{L}\p{N}]+[\r\n]*"
_PUNCTUATION_AND_SLASHES = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_GPT2_CUT = _GPT2.removesuffix(r"|\s+")
_LLAMA3 = rf"{_CONTRACTIONS}|{_LETTERS}|\p{{N}}{{1,3}}{_PUNCTUATION}{_ENDS}"
_QWEN2 = rf"{_CONTRACTIONS}|{_LETTERS}|\p{{N}}{_PUNCTUATION}{_ENDS}"
_QWEN35 = (
    rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*{_ENDS}"
)


def _cased(contractions: str, numbers: str) -> str:
    """Return words that end where upper case follows lower case."""
    return (
        rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{contractions}"
        rf"|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{contractions}"
        rf"|{numbers}{_PUNCTUATION_AND_SLASHES}{_ENDS}"
    )


_TEKKEN = _cased("", r"\p{N}")
_GPT4O = _cased(f"{_CONTRACTIONS}?", r"\p{N}{1,3}")
_DEEPSEEK_LATIN = (
    "A-Za-z\xb5\xc0-\xd6\xd8-\xf6\xf8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af\u0370-\u0373\u0376"
    "\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03f5\u03f7-\u0481"
    "\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf"
    "\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d"
    "\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4"
    "\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107"
    "\u210a-\u2113\u2115\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
    "\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13-\ufb17"
    "\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3\U000104d8-\U000104fb"
    "\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df\U0001e900-\U0001e943"
)
_CJK = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
_DEEPSEEK_LLM = (
    r"[\r\n]",
    rf"\s?[{_DEEPSEEK_LATIN}]+",
    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
    r"\s+$",
    _CJK,
    r"\p{N}+",
)
_DEEPSEEK_CODER = (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _CJK, r"\p{N}")
_DEEPSEEK_V3 = (
    r"\p{N}{1,3}",
    "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    (
        r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
        rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*{_ENDS}"
    ),
)
_BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"


@dataclass(frozen=True)
class PreTokenizer:
    """Expressions that split a text one after the other, and properties of the tokenizer.

    With `whole_words` a word that is a token is not merged from parts. `adds_bos` is whether a text begins
    with the BOS token if the file does not state it. With `nfc` texts are normalized first, as transformers
    does.
    """

    splits: tuple[str, ...]
    whole_words: bool = False
    adds_bos: bool = False
    nfc: bool = False


_DIGITS = (r"\p{N}", _GPT2)
_LLAMA3_FAMILY = PreTokenizer((_LLAMA3,), whole_words=True, adds_bos=True)
_QWEN2_FAMILY = PreTokenizer((_QWEN2,), nfc=True)

PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    "default": PreTokenizer((r"[\p{P}\$\+<=>\^~\|]+", _GPT2_CUT, r"\p{N}+", r"[0-9][0-9][0-9]")),
    # GPT-2
    "a.x-4.0": PreTokenizer((_GPT2,)),
    "exaone4": PreTokenizer((_GPT2,)),
    "gigachat": PreTokenizer((_GPT2,)),
    "gpt-2": PreTokenizer((_GPT2,)),
    "granite-docling": PreTokenizer((_GPT2,)),
    "jais": PreTokenizer((_GPT2,)),
    "mellum": PreTokenizer((_GPT2,)),
    "mpt": PreTokenizer((_GPT2,), nfc=True),
    "olmo": PreTokenizer((_GPT2,), nfc=True),
    "phi-2": PreTokenizer((_GPT2,)),
    "trillion": PreTokenizer((_GPT2,)),
    # GPT-2 after single digits
    "codeshell": PreTokenizer(_DIGITS),
    "command-r": PreTokenizer(_DIGITS, nfc=True),
    "exaone": PreTokenizer(_DIGITS),
    "mellum2": PreTokenizer(_DIGITS),
    "minerva-7b": PreTokenizer(_DIGITS),
    "refact": PreTokenizer(_DIGITS),
    "smollm": PreTokenizer(_DIGITS),
    "starcoder": PreTokenizer(_DIGITS),
    # Llama 3
    "chatglm-bpe": PreTokenizer((_LLAMA3,)),
    "dbrx": PreTokenizer((_LLAMA3,)),
    "falcon-h1": _LLAMA3_FAMILY,
    "falcon3": _LLAMA3_FAMILY,
    "glm4": PreTokenizer((_LLAMA3,), whole_words=True),
    "lfm2": _LLAMA3_FAMILY,
    "llama-bpe": _LLAMA3_FAMILY,
    "llama-v3": _LLAMA3_FAMILY,
    "llama3": _LLAMA3_FAMILY,
    "midm-2.0": _LLAMA3_FAMILY,
    "pixtral": _LLAMA3_FAMILY,
    "smaug-bpe": PreTokenizer((_LLAMA3,)),
    # Qwen
    "deepseek-r1-qwen": _QWEN2_FAMILY,
    "hunyuan": PreTokenizer((_QWEN2,)),
    "megrez": _QWEN2_FAMILY,
    "qwen2": _QWEN2_FAMILY,
    "qwen35": PreTokenizer((_QWEN35,), nfc=True),
    "stablelm2": PreTokenizer((_QWEN2,)),
    # DeepSeek
    "deepseek-coder": PreTokenizer(_DEEPSEEK_CODER),
    "deepseek-llm": PreTokenizer(_DEEPSEEK_LLM),
    "deepseek-v3": PreTokenizer(_DEEPSEEK_V3),
    "hunyuan-dense": PreTokenizer(_DEEPSEEK_V3),
    # others
    "bloom": PreTokenizer((_BLOOM,)),
    "falcon": PreTokenizer((r"[\p{P}\$\+<=>\^~\|`]+", _GPT2_CUT, r"[0-9][0-9][0-9]")),
    "gpt-4o": PreTokenizer((_GPT4O,)),
    "gpt3-finnish": PreTokenizer((_BLOOM,)),
    "kanana2": PreTokenizer((_GPT4O,)),
    "llama4": PreTokenizer((_GPT4O,)),
    "poro-chat": PreTokenizer((_BLOOM,)),
    "tekken": PreTokenizer((_TEKKEN,), whole_words=True, adds_bos=True),
    "viking": PreTokenizer((_BLOOM, r"\p{N}")),
}
"""By `tokenizer.ggml.pre`."""
