"""Larger transformers with random weights: how large they are and how long an answer takes.

The time of a transformer does not depend on what its weights say, so an architecture can be timed
where its trained weights are not to be had. `built_as` makes it from its configuration, with the
mean of the tokens and a classification layer as every model here has them; `architecture_table`
times all of them in turns, as exported, on random token ids of given lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.timing import interleaved
from common import onnx
from common.evaluation.report import Row, Table, Value

BATCH, ONES = 32, 32
CLASSES = 77
COLUMNS = ("million weights", "ms, batch of 1", f"ms, batch of {BATCH}", "MB", "published")


@dataclass(frozen=True)
class Architecture:
    """A published transformer: the class and values of its configuration, and what it reached."""

    name: str
    kind: str
    values: dict[str, Any]
    published: str


@dataclass(frozen=True)
class Built:
    """An architecture as ONNX Runtime runs it, and texts for it: ids and mask of each batch."""

    architecture: Architecture
    weights: int
    forms: dict[str, bytes]
    ones: tuple[dict[str, np.ndarray], ...]
    batch: dict[str, np.ndarray]


ARCHITECTURES = (
    Architecture("BERT-base", "BertConfig", {}, "banking77 .93 (Casanueva et al. 2020)"),
    Architecture("DistilBERT", "DistilBertConfig", {}, "sst2 .913 (Sanh et al. 2019)"),
    Architecture(
        "RoBERTa-base",
        "RobertaConfig",
        {"vocab_size": 50_265, "max_position_embeddings": 514, "type_vocab_size": 1},
        "MNLI .876 (model card of DeBERTa-v3)",
    ),
    Architecture(
        "DeBERTa-v3-small",
        "DebertaV2Config",
        {
            "vocab_size": 128_100, "hidden_size": 768, "num_hidden_layers": 6,
            "num_attention_heads": 12, "intermediate_size": 3072, "type_vocab_size": 0,
            "relative_attention": True, "position_buckets": 256, "share_att_key": True,
            "pos_att_type": ["p2c", "c2p"], "norm_rel_ebd": "layer_norm",
            "max_relative_positions": -1, "position_biased_input": False,
        },
        "MNLI .883 (its model card)",
    ),
)  # fmt: skip


def built_as(architecture: Architecture, lengths: np.ndarray, *, small: bool = False) -> Built:
    """Build and export an architecture; `small` has one layer and few words."""
    import torch
    import transformers

    from patterns.nlp.classification.stages.pooled import PooledClassifier

    config = getattr(transformers, architecture.kind)(**architecture.values)
    if small:
        config.num_hidden_layers, config.vocab_size = 1, 1000
    torch.manual_seed(0)
    encoder = transformers.AutoModel.from_config(config)
    module = PooledClassifier(encoder, classes=CLASSES, dropout=0.0).eval()
    model = onnx.export(module, output="logits")
    rng = np.random.default_rng(0)
    words = config.vocab_size
    return Built(
        architecture,
        weights=sum(each.numel() for each in module.parameters()),
        forms={"fp32": model, "int8": onnx.quantised(model)},
        ones=tuple(_batch(lengths[row : row + 1], words, rng) for row in range(ONES)),
        batch=_batch(lengths[:BATCH], words, rng),
    )


def _batch(lengths: np.ndarray, words: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw ids of these lengths (B,), padded: ids and mask (B, L)."""
    shape = len(lengths), int(lengths.max())
    mask = (np.arange(shape[1])[None, :] < lengths[:, None]).astype(np.int64)
    ids = rng.integers(5, words, size=shape) * mask + (1 - mask)
    return {"ids": ids.astype(np.int64), "mask": mask}


def architecture_table(built: Sequence[Built], *, repeats: int) -> Table:
    """Time all architectures in turns, in fp32 and in int8, on one thread."""
    ones, batches = {}, {}
    for each in built:
        for form, model in each.forms.items():
            session = onnx.session(model, threads=1)
            name = f"{each.architecture.name}, {form}"
            ones[name] = partial(_run, session, each.ones)
            batches[name] = partial(_run, session, (each.batch,))
    single = interleaved(ones, repeats=max(repeats // 3, 3), warm_up=1)
    many = interleaved(batches, repeats=repeats, warm_up=1)
    rows: list[Row] = []
    for each in built:
        for form, model in each.forms.items():
            name = f"{each.architecture.name}, {form}"
            values: dict[str, Value] = {
                "million weights": each.weights / 1e6,
                "ms, batch of 1": 1000 * single[name] / len(each.ones),
                f"ms, batch of {BATCH}": 1000 * many[name],
                "MB": len(model) / 1e6,
                "published": each.architecture.published if form == "fp32" else None,
            }
            rows.append(Row(name, values, baseline=not rows))
    caption = (
        "Random weights, ids of the same lengths as the texts above, from ids to logits, one"
        " thread. Accuracies as published with the trained weights, on the data named."
    )
    return Table("larger transformers", COLUMNS, tuple(rows), caption)


def _run(session: Any, batches: Sequence[dict[str, np.ndarray]]) -> None:
    for batch in batches:
        session.run(None, batch)
