"""A checkpoint is one safetensors file and one JSON that names it; renaming the JSON commits both.

The tensors go to `state-<n>.safetensors`, flushed to disk; then `checkpoint.json`, which holds
everything that is not a tensor, the name and sha256 of the tensor file and a digest of itself, is
written aside and renamed over the old one. A kill at any moment leaves the older checkpoint or the
newer one, never a mixture. Reading checks both digests, so a damaged file is refused and not
trained on. Nothing here is a pickle.
What the tensors and facts of a run are is said in `state.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from common.atomic import disk_errors

FORMAT = 2
INDEX = "checkpoint.json"
REMEDY = "delete the folder, or run without --resume, to start again"


def write(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write a checkpoint to `folder`, replacing the one that is there, atomically.

    Raises `OSError` where the disk is full; the checkpoint that was there stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    before = _tensor_files(folder)
    number = 1 + max((int(path.stem.split("-")[1]) for path in before), default=0)
    path = folder / f"state-{number}.safetensors"
    try:
        with disk_errors(folder):
            save_file(_unshared(tensors), path)
            _flush(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    content = {"format": FORMAT, "tensors": path.name, "sha256": _sha256(path), "facts": facts}
    text = json.dumps({**content, "digest": _digest(content)}, indent=1)
    aside = folder / (INDEX + ".part")
    aside.write_text(text, encoding="utf-8")
    _flush(aside)
    os.replace(aside, folder / INDEX)
    for old in before:
        old.unlink(missing_ok=True)


def read(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Return a checkpoint's tensors and facts, or None where there is none.

    Raises `ValueError` when a file is missing, was changed, or is of another format.
    """
    index = folder / INDEX
    if not index.exists():
        return None
    try:
        content = json.loads(index.read_text(encoding="utf-8"))
        digest = content.pop("digest")
        path = folder / str(content["tensors"])
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError, KeyError, TypeError) as cause:
        raise ValueError(f"checkpoint {index} is damaged; {REMEDY}") from cause
    if digest != _digest(content):
        raise ValueError(f"checkpoint {index} was changed since it was written; {REMEDY}")
    if content.get("format") != FORMAT:
        raise ValueError(
            f"checkpoint {index} has format {content.get('format')}, this version reads "
            f"format {FORMAT}; {REMEDY}"
        )
    if not path.exists():
        raise ValueError(f"checkpoint {index} names {path.name}, which is missing; {REMEDY}")
    if _sha256(path) != content["sha256"]:
        raise ValueError(f"checkpoint {path} was changed since it was written; {REMEDY}")
    try:
        return load_file(path), content["facts"]
    except SafetensorError as cause:
        raise ValueError(f"checkpoint {path} cannot be read ({cause}); {REMEDY}") from cause


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Flatten an optimiser's moments: `<parameter number>/<name>` -> tensor."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}/{name}": torch.as_tensor(value)
        for number, moments in state.items()
        for name, value in moments.items()
        if value is not None
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put moments flattened by `optimizer_tensors` back."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, name = key.split("/")
        state.setdefault(int(number), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def random_tensors() -> dict[str, Tensor]:
    """Return the state of torch's global generators."""
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def load_random(tensors: Mapping[str, Tensor]) -> None:
    """Set torch's global generators."""
    torch.set_rng_state(tensors["cpu"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy only what shares memory with another (tied weights), which safetensors refuses."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        place = value.untyped_storage().data_ptr()
        result[name] = value.clone() if place in seen else value
        seen.add(place)
    return result


def _tensor_files(folder: Path) -> list[Path]:
    return [path for path in folder.glob("state-*.safetensors") if path.stem[6:].isdigit()]


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
