"""Which encoder a name or a saved folder means; the only module here that knows every kind."""

from __future__ import annotations

import json
from pathlib import Path

from common.encoders.base import INDEX, Encoder
from common.encoders.onnx import ONNX, OnnxEncoder
from common.encoders.pretrained import MINILM_NAMES, EncoderUnavailable, find_transformer
from common.encoders.tfidf_svd import TFIDF_SVD, TfidfSvdEncoder
from common.encoders.transformer import TRANSFORMER, TransformerEncoder


def load_encoder(
    model: str = "auto", *, dimension: int = 256, max_length: int = 256, device: str = "auto"
) -> Encoder:
    """Find an encoder; `fit(corpus)` must follow before the fallback can encode.

    "auto" is all-MiniLM-L6-v2 or, if not available, TF-IDF + SVD of `dimension` with a
    notice; "tfidf-svd" asks for the latter. Any other name that is not available raises
    `EncoderUnavailable`, since somebody chose it.
    """
    if model == TFIDF_SVD:
        return TfidfSvdEncoder(dimension=dimension)
    try:
        found = find_transformer(model)
    except EncoderUnavailable as missing:
        if model not in MINILM_NAMES:
            raise
        return TfidfSvdEncoder(
            dimension=dimension,
            notice=f"no sentence transformer ({missing}); texts are encoded by TF-IDF + SVD",
        )
    return TransformerEncoder.from_found(found, max_length=max_length, device=device)


def load_saved(folder: Path) -> Encoder:
    """Read what any encoder's `save` wrote; needs neither network nor package."""
    facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    kind = facts["kind"]
    if kind == TFIDF_SVD:
        return TfidfSvdEncoder.load(folder, facts)
    if kind == ONNX:
        return OnnxEncoder.load(folder, facts)
    assert kind == TRANSFORMER, f"{folder / INDEX} names the kind {kind!r}"
    return TransformerEncoder.load(folder, facts)
