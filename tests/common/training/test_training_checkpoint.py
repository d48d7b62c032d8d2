"""Checkpoints: round trip, damage is refused, a kill between the two writes loses nothing."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from common.training import checkpoint

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(7)}


def test_round_trip_replaces_the_older_one(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, TENSORS, {"step": 1})
    checkpoint.write(tmp_path, {"a": TENSORS["a"] + 1}, {"step": 2, "loss": 0.1})
    found = checkpoint.read(tmp_path)
    assert found is not None
    tensors, facts = found
    assert facts == {"step": 2, "loss": 0.1}
    assert torch.equal(tensors["a"], TENSORS["a"] + 1)
    assert len(list(tmp_path.iterdir())) == 2


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert checkpoint.read(tmp_path / "absent") is None


def test_tied_weights_can_be_written(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, {"a": TENSORS["a"], "same": TENSORS["a"]}, {})
    found = checkpoint.read(tmp_path)
    assert found is not None and torch.equal(found[0]["same"], TENSORS["a"])


@pytest.mark.parametrize("name", ["checkpoint.json", "state-1.safetensors"])
@pytest.mark.parametrize("where", [10, 60, -5])
def test_a_changed_byte_is_refused(tmp_path: Path, name: str, where: int) -> None:
    checkpoint.write(tmp_path, TENSORS, {"step": 12345})
    path = tmp_path / name
    content = bytearray(path.read_bytes())
    content[where] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(ValueError, match=r"checkpoint .*(changed|damaged).*without --resume"):
        checkpoint.read(tmp_path)


def test_an_older_format_is_refused_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    checkpoint.write(tmp_path, TENSORS, {"step": 1})
    monkeypatch.undo()
    with pytest.raises(ValueError, match=r"has format 1, this version reads format 2; delete"):
        checkpoint.read(tmp_path)


def test_missing_or_cut_tensor_file_is_refused(tmp_path: Path) -> None:
    checkpoint.write(tmp_path, TENSORS, {})
    path = tmp_path / "state-1.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match="changed since"):
        checkpoint.read(tmp_path)
    path.unlink()
    with pytest.raises(ValueError, match="missing"):
        checkpoint.read(tmp_path)


def test_a_kill_before_the_commit_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write(tmp_path, TENSORS, {"step": 1})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(tmp_path, TENSORS, {"step": 2})
    monkeypatch.undo()
    found = checkpoint.read(tmp_path)
    assert found is not None and found[1] == {"step": 1}
    checkpoint.write(tmp_path, TENSORS, {"step": 3})
    assert len(list(tmp_path.glob("state-*"))) == 1


def test_a_full_disk_is_an_error_of_the_disk_and_the_older_checkpoint_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.write(tmp_path, {"x": torch.ones(3)}, {"epoch": 1})

    def full(tensors: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space left") as said:
        checkpoint.write(tmp_path, {"x": torch.zeros(3)}, {"epoch": 2})
    assert said.value.errno == errno.ENOSPC
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
    tensors, facts = checkpoint.read(tmp_path) or ({}, {})
    assert facts == {"epoch": 1} and torch.equal(tensors["x"], torch.ones(3))
