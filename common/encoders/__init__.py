"""Texts to unit vectors: a sentence transformer if available, TF-IDF + SVD if not.

All encoders have one interface, so that search, content features and classification work on a
machine without any weights; the fallback says so in `.notice`, which the pattern prints and
reports. `pretrained` has the order in which weights are looked for.

Reading order: `base` (the interface), `tfidf_svd`, `transformer` (`pretrained` finds its weights,
`tokens` cuts texts), `onnx` (the same vectors, quicker for single queries), `loading`.
"""

from common.encoders.base import Encoder
from common.encoders.loading import load_encoder, load_saved
from common.encoders.onnx import OnnxEncoder, for_queries
from common.encoders.pretrained import EncoderUnavailable, load_transformer
from common.encoders.tfidf_svd import TfidfSvdEncoder
from common.encoders.tokens import Tokens, length_batches
from common.encoders.transformer import TransformerEncoder

__all__ = [
    "Encoder",
    "EncoderUnavailable",
    "OnnxEncoder",
    "TfidfSvdEncoder",
    "Tokens",
    "TransformerEncoder",
    "for_queries",
    "length_batches",
    "load_encoder",
    "load_saved",
    "load_transformer",
]
