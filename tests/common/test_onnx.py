"""ONNX graphs: int8 weights that say the same, and the providers a session asks for."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from common import onnx

IDS = np.arange(24, dtype=np.int64).reshape(3, 8) % 50
MASK = np.ones_like(IDS)


class Small(nn.Module):
    """Embeddings, a wide matrix, the mean over tokens: logits and the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 64)
        self.wide, self.head = nn.Linear(64, 256), nn.Linear(256, 5)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.relu(self.wide(self.embedding(ids)))
        weights = mask[:, :, None].float()
        pooled = (hidden * weights).sum(1) / weights.sum(1)
        return self.head(pooled), pooled


@pytest.fixture(scope="module")
def model() -> bytes:
    torch.manual_seed(0)
    return onnx.export(Small(), output=("logits", "vectors"))


def answer(model: bytes) -> list[np.ndarray]:
    return onnx.session(model, threads=1).run(None, {"ids": IDS, "mask": MASK})


def test_int8_is_smaller_and_says_nearly_the_same(
    model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    small = onnx.quantised(model)
    assert len(small) < 0.4 * len(model)
    assert not list(tmp_path.iterdir()), "files were left behind"
    assert not caplog.records and logging.root.manager.disable == 0
    for ours, theirs in zip(answer(small), answer(model), strict=True):
        assert ours.shape == theirs.shape and not np.array_equal(ours, theirs)
        assert np.abs(ours - theirs).max() < 0.03 * np.abs(theirs).max()


def test_a_session_runs_on_what_this_install_has(
    model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []

    def opened(model: bytes, options: object, providers: list[str]) -> None:
        asked.append(providers)

    monkeypatch.setattr(onnxruntime, "InferenceSession", opened)
    cpu, cuda = "CPUExecutionProvider", "CUDAExecutionProvider"
    tensorrt = "TensorrtExecutionProvider"
    for available in ([cpu], ["Azure", cpu, cuda], [cuda, cpu, tensorrt]):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda a=available: a)
        onnx.session(model)
    assert asked == [[cpu], [cuda, cpu], [tensorrt, cuda, cpu]]
