"""The extras of this distribution: which one installs a module that is missing."""

_EXTRAS = {
    "safetensors": "checkpoint",
    "gguf": "checkpoint",
    "tokenizers": "run",
    "jinja2": "run",
    "fsspec": "remote",
    "aiohttp": "remote",
    "huggingface_hub": "remote",
    "starlette": "serve",
    "uvicorn": "serve",
    "wgpu": "webgpu",
    "websockets": "browser",
    "hypothesis": "conformance",
    "pytest": "conformance",
    "xdist": "conformance",
}
"""The extra that installs a module, by the name of the module."""


def missing_extra(error: ModuleNotFoundError) -> str | None:
    """Return which extra installs a missing module, or None if no extra does."""
    module = (error.name or "").partition(".")[0]
    if module not in _EXTRAS:
        return None
    return f"this command requires {module}: pip install 'llq-format[{_EXTRAS[module]}]'"
