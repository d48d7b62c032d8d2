"""Search: candidates by words and by meaning, learned ranking, re-ranking under business rules.

Read in this order: `README.md` (the design), `config`, `data` (what a query, a judgment and leakage
mean), `entities` (documents, queries, results), `analysis`, `bm25`, `dense` and `hybrid` of
`common/retrieval` (the sources and their merge), `stages/candidates` (both asked together),
`stages/features`, `stages/training_set` and `stages/ranking`,
`stages/lists` (which of them is served), `stages/rules` and `stages/reranking`, `stages/reasons`,
`pipeline` (the boxes wired), `evaluate` with its questions in `evaluation` and its `figures`,
`train`, `serve`, and `search`, which asks the latest run from the command line.
"""
