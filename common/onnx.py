"""Transformers as ONNX graphs: how they are exported and quantised, and the session that answers.

ONNX Runtime fuses the graph and packs the weights once, where torch calls layer by layer. A server
with an exported model imports neither torch nor transformers. An export can go wrong without an
error (a traced branch, a mask that became a constant), so whoever exports compares with torch, on
texts of many lengths, padded in batches and alone, before anything is served by it.

`quantised` stores each matrix W (D, H) as int8 with a scale per column and multiplies in integers;
activations are rounded to uint8 while they pass, by the range they have just then (dynamic):

    W ≈ W₈ · diag(s),  s_j = max_i |W_ij| / 127,     x W ≈ scale_x (x₈ − zero_x) W₈ diag(s)

Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", § 2. It loses accuracy in some models, in rare ones all of it:
whoever quantises compares too.

Shapes: B texts, L tokens, D inputs, H outputs of a matrix.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

# quickest first; TensorRT compiles the graph for its GPU, CUDA runs it operator by operator
PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")


def export(module: nn.Module, *, output: str | Sequence[str], more: Sequence[str] = ()) -> bytes:
    """Export a module of (ids, mask, *more), all int64 (B, L), with batch size and length open.

    `output` names what it returns, in order where that is several tensors.
    """
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
            output_names=[output] if isinstance(output, str) else list(output),
            dynamic_shapes=(open_sizes,) * len(inputs),
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def quantised(model: bytes) -> bytes:
    """Return the model with its weights in int8, per output column, about a quarter as large."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder, _quiet():
        path = Path(folder) / "model.onnx"  # the library writes to a file alone
        quantize_dynamic(
            onnx.load_from_string(model), path, per_channel=True, weight_type=QuantType.QInt8
        )
        return path.read_bytes()


def session(model: bytes, *, threads: int = 0) -> Any:
    """Open an `onnxruntime.InferenceSession` on a GPU if this install can use one, else on the
    processor; 0 threads are all cores.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    # Waiting threads sleep rather than spin: a server shares its cores with others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(model, options, providers=providers())


def providers() -> list[str]:
    """Return those of `PROVIDERS` that this install of ONNX Runtime has; what a graph holds that
    the first cannot run, the next does.
    """
    import onnxruntime

    available = onnxruntime.get_available_providers()
    return [name for name in PROVIDERS if name in available]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the advice of the library, to optimise a graph before it, off the console."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
