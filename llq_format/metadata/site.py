"""The addresses of rules on the built site, whose base address is the one setting of `spec/site.json`."""

from llq_format.metadata.specification import read_json


def base_address() -> str:
    """Return the address of the site, which ends with a slash, or an empty string if none is set."""
    address: str = read_json("site.json")["address"]
    return address if not address or address.endswith("/") else f"{address}/"


def rule_address(rule: str) -> str | None:
    """Return the address of the page of a rule, or None if the site has no address."""
    base = base_address()
    return f"{base}rules/{rule}.html" if base else None
