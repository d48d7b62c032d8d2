"""Search: candidates by words and by meaning, learned ranking, re-ranking under business rules.

Read in this order: `README.md` (the design), `config` (what can be turned), `data` (what a query,
a judgment and leakage mean), `stages/documents` and `stages/analysis` (what is indexed),
`stages/candidates` (BM25 first, then dense, then their merge), `stages/features`,
`stages/ranking`, `stages/rules` and `stages/reranking`, `stages/reasons` and `results`, `pipeline`
(the boxes wired), `evaluate` and `evaluate_judged`, `train`, `serve`, and `search`, which asks the
latest run from the command line.
"""
