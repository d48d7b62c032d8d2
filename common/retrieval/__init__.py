"""Lists of candidates and what is done with them: top-k, vector search, fusion, diversity.

Retrieval is the first box of search and of recommendation alike: from a whole catalogue to a few
hundred candidates, cheaply. Every source gives the same `Candidates`, so sources can be merged,
compared and re-ranked without knowing each other.

Reading order: `candidates` (the lists), `index` (vector search), `fusion`, `diversity`; then the
whole sources: `analysis` (what a word is to an index), `bm25`, `dense`, `hybrid`. Importers take
all names of the first four from here, the sources from their modules, since these load a compiler
and encoders; the modules inside import each other directly.
"""

from common.retrieval.candidates import MISSING, Candidates, ordered, top_k
from common.retrieval.diversity import mmr
from common.retrieval.fusion import Fused, reciprocal_rank_fusion, scaled_score_fusion
from common.retrieval.index import VectorIndex
from common.vector_store import IndexKind

__all__ = [
    "MISSING",
    "Candidates",
    "Fused",
    "IndexKind",
    "VectorIndex",
    "mmr",
    "ordered",
    "reciprocal_rank_fusion",
    "scaled_score_fusion",
    "top_k",
]
