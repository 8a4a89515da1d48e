"""Runtimes in JavaScript: Node, Deno and browsers."""
