"""Folders with a pretrained model's files: from the hub's cache, the hub, or a package.

Of a model repository only safetensors weights, configuration and tokenizer files are taken. A
package is not imported to look into it: whoever reads weights from one checks their sha256.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

FILES = ["*.json", "*.txt", "*.model", "*.jinja", "*.safetensors"]


@dataclass(frozen=True)
class Found:
    """A folder with a transformer's files, and where it came from."""

    name: str
    folder: Path
    origin: str  # folder | cache | package | hub


def snapshot(repository: str, *, local: bool) -> Path | None:
    """Return the hub's snapshot folder, from the cache alone or from the network; None without."""
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    if not local and constants.HF_HUB_OFFLINE:
        return None
    missing = (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError)
    try:
        folder = snapshot_download(
            repository, allow_patterns=FILES, local_files_only=local, etag_timeout=5
        )
    except missing:
        return None
    found = Path(folder)
    whole = (found / "config.json").is_file() and any(found.glob("*.safetensors"))
    return found if whole else None


def package_folder(name: str) -> Path | None:
    """Return the folder of an installed package, not importing it; None where it is not."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))
