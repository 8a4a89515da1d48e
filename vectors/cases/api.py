"""Interface: what `WebGPULlama4` promises, asked through a model whose answer is known beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vectors.cases.tokenization import BEGIN, BPE, END, START
from vectors.kit.api_scenario import Inference, Interface
from vectors.kit.computed import computed
from vectors.kit.registry import Key
from vectors.kit.script import TEMPLATE, Script, answer_ids

Json = Any
PROMPT = "hello"
# é, 日 and 🦙 as bytes, not as the tokens that merges would make of them: characters come in pieces
PATH = (
    *(BPE.special_id(START), *BPE.encode(PROMPT), *BPE.encode(" wor"), *b"ld ", *"é,日-🦙!\n".encode()),
    BPE.special_id(END),
)
SCRIPT = Script(BPE, PATH, BEGIN)
TEXT = " world é,日-🦙!\n"
"""The tokens that the model generates after the prompt, and nothing after them."""

HERE = "package/"
LOAD: dict[str, Json] = {"do": "load", "url": HERE, "rule": "LLQ-API-1", "expect": {}}
SHARED: dict[str, Json] = {**LOAD, "share": "api"}
"""A load whose model may be that of another question: on a CPU kernels take long to compile."""

PROFILE: dict[str, Json] = {
    "do": "profile",
    "options": {"tokens": 2, "promptTokens": 4},  # of our own runtime, which takes long on a CPU
    "rule": "LLQ-API-21",
    "expect": {"layers": 2},
}


def inference(
    prompt: str | Sequence[dict[str, str]] = PROMPT, context: int | None = None, **options: Json
) -> Inference:
    """Return a prompt with options of `infer`."""
    return Inference(SCRIPT, prompt, options, context)


def loaded(*steps: dict[str, Json]) -> Interface:
    """Return steps with a model, which all succeed and leave the model unchanged."""
    return Interface(SCRIPT, [SHARED, *steps])


def fails(rule: str, code: str | Sequence[str], broken: Sequence[str] = ()) -> dict[str, Json]:
    """Return the expectation for a call that must fail: its rule, and the error's codes and rules."""
    codes = [code] if isinstance(code, str) else list(code)
    return {"rule": f"LLQ-API-{rule}", "expect": {"code": codes, "rules": list(broken)}}


def aborted(rule: str) -> dict[str, Json]:
    """Return the expectation for a call that is aborted."""
    return {"rule": f"LLQ-API-{rule}", "expect": {"reason": True}}


# ---- Loading ----

ADDRESSES = {
    "the directory": HERE,
    "the directory without a slash": "package",
    "metadata.json": f"{HERE}metadata.json",
    "the module": f"{HERE}vector.wgsl?v=1#top",
}


@computed("api", "LLQ-API-1", "LLQ-API-2", "LLQ-API-10", cases=ADDRESSES)
def model_loaded_by(url: str) -> Interface:
    """A package is addressed by {}: the model MUST load, report its progress and answer."""
    return Interface(SCRIPT, [{**LOAD, "url": url}, inference().step("infer", "10")])


ABORTS = {
    "before it begins": "before",
    Key("while a shard is on its way", "while a shard is loading"): "loading",
}


@computed("api", "LLQ-API-3", cases=ABORTS)
def load_aborted(when: str) -> Interface:
    """The signal is aborted {}: loading MUST reject with its reason, and all requests MUST end."""
    drip = [{"do": "drip", "file": "shard"}]
    return Interface(SCRIPT, [{**LOAD, "abort": when, **aborted("3")}], drip if when == "loading" else [])


@computed("api", "LLQ-API-3")
def tokenizer_aborted() -> Interface:
    """The signal is aborted beforehand: createTokenizer MUST reject with its reason, without a request."""
    step = {"do": "tokenizer", "url": f"{HERE}tokenizer.json", "abort": "before", **aborted("3")}
    return Interface(SCRIPT, [step])


HASHES = ("LLQ-HASH-1", "LLQ-HASH-2")
BROKEN: dict[str, tuple[dict[str, Json], Sequence[str]]] = {
    "a shard with one bit changed": ({"do": "flip", "file": "shard"}, HASHES),
    "a program with one bit changed": ({"do": "flip", "file": "program"}, HASHES[1:]),
    "a module with one bit changed": ({"do": "flip", "file": "module"}, HASHES[1:]),
    "a tokenizer with one bit changed": ({"do": "flip", "file": "tokenizer"}, HASHES[1:]),
    "a shard that is cut short": ({"do": "shorten", "file": "shard"}, ("LLQ-PKG-8", *HASHES)),
    "metadata with a space in front": ({"do": "space", "file": "metadata"}, ("LLQ-JSON-2", "LLQ-CANON-2")),
}


@computed("api", "LLQ-API-4", "LLQ-API-7", cases=BROKEN)
def load_refuses(case: tuple[dict[str, Json], Sequence[str]]) -> Interface:
    """The server sends {}: loading MUST fail with a rule that the package violates."""
    fault, rules = case
    return Interface(SCRIPT, [{**LOAD, **fails("4", ["hash", "package"], rules)}], [fault])


MENDED: dict[str, dict[str, Json]] = {
    "ignores ranges": {"do": "no-ranges"},
    "cuts the connection once within a shard": {"do": "cut", "file": "shard", "times": 1},
    "is busy once": {"do": "status", "status": 503, "file": "shard", "times": 1},
}


@computed("api", "LLQ-API-36")
def load_of_compressed_files() -> Interface:
    """The server compresses whole files, on another origin: the model MUST load completely and answer."""
    return Interface(
        SCRIPT, [{**LOAD, "rule": "LLQ-API-36"}, inference().step("infer", "10")], [{"do": "compress"}]
    )


@computed("api", "LLQ-API-5", cases=MENDED)
def load_mends(fault: dict[str, Json]) -> Interface:
    """The server {}: the model MUST load completely and answer."""
    return Interface(SCRIPT, [{**LOAD, "rule": "LLQ-API-5"}, inference().step("infer", "10")], [fault])


MISSING: dict[str, tuple[dict[str, Json], str]] = {
    Key("no metadata", "404 for the metadata"): (
        {"do": "status", "status": 404, "file": "metadata"},
        "not-found",
    ),
    Key("no shard", "404 for a shard"): ({"do": "status", "status": 404, "file": "shard"}, "not-found"),
    Key("no right to a shard", "403 for a shard"): (
        {"do": "status", "status": 403, "file": "shard"},
        "status",
    ),
    "a page in place of the metadata": ({"do": "html", "file": "metadata"}, "html"),
    "a page in place of a shard": ({"do": "html", "file": "shard"}, "html"),
}


@computed("api", "LLQ-API-6", "LLQ-API-7", cases=MISSING)
def load_fails_for(case: tuple[dict[str, Json], str]) -> Interface:
    """The server responds with {}: loading MUST fail with the code of this failure."""
    fault, code = case
    return Interface(SCRIPT, [{**LOAD, **fails("6", code)}], [fault])


AWAY: dict[str, tuple[dict[str, Json], Sequence[str]]] = {
    Key("nothing", "404"): ({"do": "status", "status": 404}, ["not-found"]),
    "a page": ({"do": "html"}, ["html"]),
    Key("half of the file, always", "half of the file, every time"): ({"do": "cut"}, ["cut", "network"]),
}


@computed("api", "LLQ-API-6", "LLQ-API-7", cases=AWAY)
def tokenizer_at_whose_address_is(case: tuple[dict[str, Json], Sequence[str]]) -> Interface:
    """The server responds with {} at the address: createTokenizer MUST fail with the code of this failure."""
    fault, codes = case
    step = {"do": "tokenizer", "url": f"{HERE}tokenizer.json", **fails("6", codes)}
    return Interface(SCRIPT, [step], [{**fault, "file": "tokenizer"}])


# ---- Tokenizers ----

TOKENIZERS = {"tokenizer.json": f"{HERE}tokenizer.json", "vocab.json": "vocabulary/vocab.json"}


@computed("api", "LLQ-API-9", cases=TOKENIZERS)
def tokenizer_created_of(url: str) -> Interface:
    """A tokenizer is created from {}: it MUST encode and decode as LLQ-TOK-1 states."""
    texts = ["hello world", "é日本", "", "llo hello"]
    ids = [[BPE.special_id(BEGIN), *BPE.encode(text)] for text in texts]
    step = {"do": "tokenizer", "url": url, "options": {"bosTokenId": BPE.special_id(BEGIN)}, "texts": texts}
    expected = {"ids": ids, "decoded": texts}
    return Interface(SCRIPT, [{**step, "rule": "LLQ-API-9", "expect": expected}])


@computed("api", "LLQ-API-9", "LLQ-API-11")
def tokenizer_put_in_place() -> Interface:
    """The page assigns a tokenizer without BOS and with another template: the model MUST use it."""
    template = TEMPLATE.replace("{{ pad_token }}", START) + PROMPT
    options = {"eosTokenIds": [BPE.special_id(END)], "chatTemplate": template}
    step = {"do": "tokenizer", "url": f"{HERE}tokenizer.json", "options": options, "use": True}
    messages = [{"role": "user", "content": "llo"}]
    plain = {"do": "stream", "prompt": messages, "options": {}, "rule": "LLQ-API-9"}
    prompt = len(BPE.encode(SCRIPT.rendered(messages) + PROMPT))
    count = len(PATH) - 3
    usage = {"promptTokens": prompt, "completionTokens": count, "totalTokens": prompt + count}
    expected = {"text": TEXT, "usage": usage, "finishReason": "stop"}
    steps = [LOAD, {**step, "rule": "LLQ-API-9", "expect": {}}, {**plain, "expect": expected}]
    return Interface(SCRIPT, steps)


# ---- Answers ----

LENGTHS: dict[str, int] = {
    Key("none", "0"): 0,
    Key("one", "1"): 1,
    Key("four", "4"): 4,
    Key("as many as there are", "the length of the answer"): len(PATH) - 3,
    Key("many", "64"): 64,
}


@computed("api", "LLQ-API-10", "LLQ-API-12", "LLQ-API-15", "LLQ-API-16", "LLQ-API-17", cases=LENGTHS)
def answer_of_at_most(tokens: int) -> Interface:
    """MaxTokens is {}: infer and stream MUST give the same text, and finishReason MUST state why it ended."""
    of = inference(maxTokens=tokens)
    return loaded(of.step("stream", "12"), of.step("infer", "12"))


@computed("api", "LLQ-API-10", "LLQ-API-15", "LLQ-API-17")
def answer_without_options() -> Interface:
    """A call passes only a prompt: the answer MUST be greedy and continue to its end token."""
    return loaded(inference().step("infer", "10"), inference().step("stream", "10"))


@computed("api", "LLQ-API-16")
def answer_that_ends_within_a_character() -> Interface:
    """The last token is half of a character of four bytes: U+FFFD MUST replace it, at the end only."""
    of = inference(maxTokens=PATH.index(0x9F) - 1)
    return loaded(of.step("stream", "16"), of.step("infer", "16"))


@computed("api", "LLQ-API-11")
def answer_to_messages() -> Interface:
    """The prompt is messages: the answer MUST be the answer to the rendered chat template."""
    messages = [{"role": "user", "content": "hello"}, {"role": "user", "content": "llo"}]
    of = inference(messages, maxTokens=32)
    return loaded(of.step("stream", "11"), of.step("infer", "11"))


STOPS: dict[str, str | list[str]] = {
    "a whole token": [","],
    "the inside of a token": "or",
    "parts of several tokens": ["rld é"],
    Key("one of several", "one of several texts"): ["!", "日", "é,日"],
    Key("the second part of another", "a text that ends within another"): ["nowhere", "ld é,", "d"],
    "the beginning of the answer": " w",
    "a character of several tokens": ["🦙"],
    Key("a text of which only the beginning comes", "a text whose beginning alone occurs"): ["!\nmore"],
    Key("a text that never comes", "a text that never occurs"): ["nowhere"],
}


@computed("api", "LLQ-API-13", "LLQ-API-15", "LLQ-API-17", cases=STOPS)
def stop_is(stop: str | list[str]) -> Interface:
    """The stop text is {}: the answer MUST end before it, streamed or not."""
    of = inference(stop=stop)
    return loaded(of.step("stream", "13"), of.step("infer", "13"))


@computed("api", "LLQ-API-15", "LLQ-API-7")
def stream_read_twice() -> Interface:
    """A stream is read again after its end: the second reader MUST fail with code input."""
    return loaded(inference(maxTokens=4).step("stream", "15", again=True), inference().step("infer", "10"))


@computed("api", "LLQ-API-8", "LLQ-API-7")
def prompt_without_tokens() -> Interface:
    """A tokenizer without BOS makes no ids of an empty text: the call MUST fail with code input."""
    options = {"eosTokenIds": [BPE.special_id(END)]}
    step = {"do": "tokenizer", "url": f"{HERE}tokenizer.json", "options": options, "use": True}
    empty = {"prompt": "", "options": {}, **fails("8", "input")}
    calls = [{"do": action, **empty} for action in ("infer", "stream")]
    text = inference().text(answer_ids(SCRIPT, tuple(BPE.encode(PROMPT))), "strict")
    following = {
        "do": "infer",
        "prompt": PROMPT,
        "options": {},
        "rule": "LLQ-API-8",
        "expect": {"text": text},
    }
    return Interface(SCRIPT, [LOAD, {**step, "rule": "LLQ-API-9", "expect": {}}, *calls, following])


# ---- Order ----

MOMENTS: dict[str, str | int] = {
    "before it begins": "before",
    "after its first piece": 1,
    "after its fifth": 5,
}


@computed("api", "LLQ-API-18", "LLQ-API-15", cases=MOMENTS)
def stream_aborted(when: str | int) -> Interface:
    """The signal is aborted {}: the stream MUST reject with its reason; the next answer MUST be complete."""
    return loaded(inference().begun("18", "aborted", abort=when), inference().step("stream", "18"))


@computed("api", "LLQ-API-18", "LLQ-API-19")
def call_aborted_while_it_waits() -> Interface:
    """A signal is aborted while its call waits: this call MUST reject at once; others MUST be answered."""
    first = inference().step("infer", "19")
    waiting = {"do": "infer", "prompt": PROMPT, "abort": "waiting", **aborted("18")}
    together = {"do": "together", "steps": [first, waiting, inference().step("stream", "19")]}
    return loaded({**together, "rule": "LLQ-API-18", "expect": {"order": [1, 0, 2]}})


@computed("api", "LLQ-API-18", "LLQ-API-17")
def stream_that_is_left() -> Interface:
    """The reader leaves after two pieces: finishReason MUST be aborted; the next answer MUST be complete."""
    return loaded(inference().begun("18", "aborted", leave=2), inference().step("stream", "18"))


@computed("api", "LLQ-API-19", "LLQ-API-15")
def calls_at_once() -> Interface:
    """Four calls are made at once: each MUST be answered, in the order in which they were made."""
    messages = [{"role": "user", "content": "hello"}]
    steps = [
        inference().step("stream", "19"),
        inference(messages, maxTokens=20).step("infer", "19"),
        PROFILE,
        inference(maxTokens=3).step("infer", "19"),
    ]
    together = {"do": "together", "steps": steps, "rule": "LLQ-API-19", "expect": {"order": [0, 1, 2, 3]}}
    return loaded(together)


# ---- Profile, end ----


@computed("api", "LLQ-API-21")
def model_profiled() -> Interface:
    """Profile MUST match its schema, with a time for each layer, and MUST NOT change later answers."""
    return loaded(inference().step("infer", "10"), PROFILE, inference().step("infer", "10"))


@computed("api", "LLQ-API-22", "LLQ-API-7")
def model_disposed_of() -> Interface:
    """After dispose, the model MUST refuse every call, and a second dispose MUST have no effect."""
    dispose = {"do": "dispose", "rule": "LLQ-API-22", "expect": {}}
    calls: list[dict[str, Json]] = [
        {"do": "infer", "prompt": PROMPT},
        {"do": "stream", "prompt": PROMPT},
        {"do": "profile"},
    ]
    refused = [{**call, **fails("22", "disposed")} for call in calls]
    return Interface(SCRIPT, [LOAD, inference().step("infer", "10"), dispose, dispose, *refused, dispose])
