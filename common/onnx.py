"""Transformers as ONNX graphs: how they are exported, and the session that answers from them.

ONNX Runtime fuses the graph and packs the weights once, where torch calls layer by layer. A server
with an exported model imports neither torch nor transformers. An export can go wrong without an
error (a traced branch, a mask that became a constant), so whoever exports compares with torch, on
texts of many lengths, padded in batches and alone, before anything is served by it.

Shapes: B texts, L tokens.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def export(module: nn.Module, *, output: str, more: Sequence[str] = ()) -> bytes:
    """Export a module of (ids, mask, *more), all int64 (B, L), with batch size and length open."""
    import torch

    ids = torch.ones((2, 8), dtype=torch.long)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    inputs = (ids, mask, *(torch.zeros_like(ids) for _ in more))
    open_sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module.cpu().eval(),
            inputs,
            input_names=["ids", "mask", *more],
            output_names=[output],
            dynamic_shapes=(open_sizes,) * len(inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def session(model: bytes, *, threads: int = 0) -> Any:
    """Open an `onnxruntime.InferenceSession` on the processor; 0 threads are all cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Waiting threads sleep rather than spin: a server shares its cores with others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
