"""Checkpoints of the Hugging Face hub, through huggingface_hub with its cache, login and settings."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from llq_format.exporting.checkpoint.split_names import part_names
from llq_format.remote.addresses import HubAddress, RemoteError
from llq_format.remote.files import cache_directory

_SMALL_FILES = frozenset(
    {
        "adapter_config.json",
        "added_tokens.json",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "quant_config.json",
        "quantize_config.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
    }
)
_SAFETENSORS = re.compile(r"(?!consolidated)[^/]+\.safetensors(\.index\.json)?")
_PICKLES = re.compile(r"pytorch_model[^/]*\.bin(\.index\.json)?")


def download(address: HubAddress) -> Path:
    """Return the path of a checkpoint: a directory with the files that an export reads, or a GGUF file.

    Files that are in the cache of huggingface_hub already are not downloaded again. Raises RemoteError.
    """
    with _reported(address):
        from huggingface_hub import HfApi  # noqa: PLC0415  # an extra

        api = HfApi()
        info = api.model_info(address.repository, revision=address.revision)
        files = [sibling.rfilename for sibling in info.siblings or []]
        wanted = _gguf_files(address, files) if address.file else _checkpoint_files(address, files)
        copies = {
            name: Path(api.hf_hub_download(address.repository, name, revision=info.sha)) for name in wanted
        }
    directory = cache_directory() / f"{address.repository.replace('/', '--')}@{info.sha}"
    if address.file:  # files of a checkpoint are in a directory of their own, which its hash covers
        directory /= "gguf"
    directory.mkdir(parents=True, exist_ok=True)
    for name, copy in copies.items():
        link = directory / PurePosixPath(name).name
        link.unlink(missing_ok=True)
        link.symlink_to(copy.resolve())
    return directory / PurePosixPath(address.file).name if address.file else directory


def _checkpoint_files(address: HubAddress, files: list[str]) -> list[str]:
    """Return the files of a repository that an export reads."""
    if "config.json" not in files:
        models = [name for name in files if name.lower().endswith(".gguf")]
        if models:
            raise RemoteError(
                f"hf://{address.repository}: has no config.json, but GGUF files: name one of them, "
                f"such as hf://{address.repository}/{models[0]}"
            )
        raise RemoteError(f"hf://{address.repository}: has no config.json, so it is not a checkpoint")
    for weights in (_SAFETENSORS, _PICKLES):
        found = [name for name in files if weights.fullmatch(name)]
        if found:
            return [name for name in files if name in _SMALL_FILES] + found
    raise RemoteError(f"hf://{address.repository}: has neither .safetensors files nor pytorch_model.bin")


def _gguf_files(address: HubAddress, files: list[str]) -> list[str]:
    """Return the file, or all files of a model in several."""
    if address.file not in files:
        raise RemoteError(f"hf://{address.repository}: has no file {address.file}")
    path = PurePosixPath(address.file)
    return [str(path.with_name(name)) for name in part_names(path.name)]


@contextmanager
def _reported(address: HubAddress) -> Iterator[None]:
    """Turn the failures of huggingface_hub into one line."""
    try:
        from huggingface_hub import errors  # noqa: PLC0415  # an extra
    except ImportError:
        raise RemoteError(
            "reading from the Hugging Face hub requires huggingface_hub: pip install 'llq-format[remote]'"
        ) from None
    where = f"hf://{address.repository}"
    known: Any = errors
    try:
        yield
    except RemoteError:
        raise
    except known.GatedRepoError as error:
        raise RemoteError(
            f"{where}: access is restricted: accept the terms on the page of the model, "
            "then log in with: hf auth login"
        ) from error
    except known.RevisionNotFoundError as error:
        raise RemoteError(f"{where}: has no revision {address.revision}") from error
    except known.RepositoryNotFoundError as error:
        raise RemoteError(
            f"{where}: not found, or private: check the name, or log in with: hf auth login"
        ) from error
    except (known.HfHubHTTPError, known.LocalEntryNotFoundError, OSError) as error:
        raise RemoteError(
            f"{where}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from error
