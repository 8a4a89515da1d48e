"""Interface: what requests carry, several mirrors, and models in workers."""

from __future__ import annotations

from typing import Any

from vectors.cases.api import HASHES, HERE, LOAD, SCRIPT, fails, inference
from vectors.kit.api_scenario import Interface
from vectors.kit.computed import computed
from vectors.kit.registry import Key

Json = Any

SECRET = "c2VjcmV0"  # noqa: S105  # of no server
KEY = {"x-llq-key": SECRET}
LOCKED: dict[str, tuple[dict[str, Json], dict[str, Json], dict[str, Json]]] = {
    "a query": (
        {"do": "require", "query": f"key={SECRET}"},
        {"url": f"{HERE}metadata.json?key={SECRET}#top"},
        {"url": f"vocabulary/vocab.json?key={SECRET}"},
    ),
    "a header": (
        {"do": "require", "header": "x-llq-key", "value": SECRET},
        {"url": HERE, "options": {"headers": KEY}},
        {"url": "vocabulary/vocab.json", "options": {"headers": KEY}},
    ),
}


@computed("api", "LLQ-API-52", cases=LOCKED)
def server_that_requires(case: tuple[dict[str, Json], dict[str, Json], dict[str, Json]]) -> Interface:
    """The server requires {}: every request for a package and for a vocabulary MUST carry it."""
    fault, package, vocabulary = case
    load = {**LOAD, **package, "rule": "LLQ-API-52"}
    tokenizer = {"do": "tokenizer", **vocabulary, "rule": "LLQ-API-52", "expect": {}}
    return Interface(SCRIPT, [load, inference().step("infer", "10"), tokenizer], [fault])


@computed("api", "LLQ-API-52", "LLQ-API-56")
def server_that_refuses_a_key() -> Interface:
    """The server refuses a key of the query and of a header: the message MUST contain neither."""
    load = {"url": f"{HERE}?key={SECRET}", "options": {"headers": KEY}, **fails("56", "status")}
    fault = {"do": "status", "status": 403, "file": "shard"}
    return Interface(SCRIPT, [{**LOAD, **load}], [fault])


@computed("api", "LLQ-API-56")
def address_with_a_password() -> Interface:
    """An address has a user name and a password: loading MUST fail with code input, without a request."""
    load = {**LOAD, "url": f"https://me:{SECRET}@llq.invalid/", **fails("56", "input")}
    return Interface(SCRIPT, [{**load, "expect": {**load["expect"], "unrequested": ""}}])


HUB = {"without a name": "hf:owner", "with a query": f"hf:owner/name?key={SECRET}"}


@computed("api", "LLQ-API-53", cases=HUB)
def hub_address(url: str) -> Interface:
    """An address of the hub is {}: loading MUST fail with code input."""
    return Interface(SCRIPT, [{**LOAD, "url": url, **fails("53", "input")}])


MIRRORS = ["package/", "mirror/"]
FAILING: dict[str, dict[str, Json]] = {
    Key("no metadata", "404 for the metadata"): {"do": "status", "status": 404, "file": "metadata"},
    Key("no shard", "404 for a shard"): {"do": "status", "status": 404, "file": "shard"},
    "a page in place of a shard": {"do": "html", "file": "shard"},
    "a shard with one bit changed": {"do": "flip", "file": "shard"},
    "a program with one bit changed": {"do": "flip", "file": "program"},
    "a shard that is cut short": {"do": "shorten", "file": "shard"},
}


@computed("api", "LLQ-API-54", cases=FAILING)
def mirror_that_sends(fault: dict[str, Json]) -> Interface:
    """The first of two mirrors sends {}: the model MUST load with what the second sends, and answer."""
    load = {**LOAD, "url": MIRRORS, "rule": "LLQ-API-54"}
    return Interface(SCRIPT, [load, inference().step("infer", "10")], [fault])


@computed("api", "LLQ-API-54", "LLQ-API-4")
def mirrors_that_send_a_changed_shard() -> Interface:
    """Both mirrors are the same damaged package: loading MUST fail with a rule that it violates."""
    load = {**LOAD, "url": [HERE, HERE], **fails("54", ["hash", "package"], HASHES)}
    return Interface(SCRIPT, [load], [{"do": "flip", "file": "shard"}])


@computed("api", "LLQ-API-54")
def mirrors_without_an_address() -> Interface:
    """A list of mirrors is empty: loading MUST fail with code input."""
    return Interface(SCRIPT, [{**LOAD, "url": [], **fails("54", "input")}])


@computed("api", "LLQ-API-57")
def stored_package_whose_server_refuses_a_key() -> Interface:
    """A package was loaded and stored with a key: a load without the key MUST fail, as the server does."""
    first = {**LOAD, "url": f"{HERE}?key={SECRET}", "options": {"cache": True}, "rule": "LLQ-API-57"}
    second = {**LOAD, "url": HERE, "options": {"cache": True}, **fails("57", "status")}
    return Interface(SCRIPT, [first, second], [{"do": "require", "query": f"key={SECRET}"}])


@computed("api", "LLQ-API-58")
def worker_with_a_device() -> Interface:
    """A device of the page is passed to a model in a worker: the call MUST fail with code input."""
    return Interface(SCRIPT, [{**LOAD, "worker": True, **fails("58", "input")}])
