"""Secrets of calls of the interface, which no message may contain (spec: Runtime API, LLQ-API-56)."""

from urllib.parse import urlsplit

from ..core.api_scenario import Step

RULE = "LLQ-API-56"


def shown_secret(step: Step, message: str) -> str | None:
    """Return the query, header or password of a step that a message contains, if any."""
    addresses = step.get("url", [])
    parts = [urlsplit(url) for url in ([addresses] if isinstance(addresses, str) else addresses)]
    secrets = [secret for part in parts for secret in (part.query, part.password)]
    secrets += step.get("options", {}).get("headers", {}).values()
    return next((secret for secret in secrets if secret and secret in message), None)
