"""The chat template of a Hugging Face directory."""

from collections.abc import Iterator
from pathlib import Path

from llq_format.exporting.checkpoint.checkpoint import CheckpointError
from llq_format.exporting.checkpoint.keys import Keys
from llq_format.exporting.checkpoint.warnings import ExportWarning, warning
from llq_format.sandbox.chat_template import syntax_error


def chat_template(directory: Path, settings: Keys) -> str | None:
    """Return the template of chat messages: a file of its own, or an entry of tokenizer_config.json."""
    path = directory / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{path}: is not UTF-8: {error}") from error
    value = settings.get("chat_template")
    if isinstance(value, list):  # several templates with names
        templates = {entry.get("name"): entry.get("template") for entry in value if isinstance(entry, dict)}
        value = templates.get("default")
    if value is not None and not isinstance(value, str):
        raise settings.error("chat_template", "is neither a string nor a list of named templates")
    return value


def template_warnings(template: str | None) -> Iterator[ExportWarning]:
    """Yield a warning if the template does not parse; without Jinja, an extra, nothing is checked."""
    if template is None:
        return
    try:
        error = syntax_error(template)
    except ModuleNotFoundError:
        return
    if error is not None:
        yield warning("template-syntax", line=error[0], error=error[1])
