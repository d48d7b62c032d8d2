"""Two-stage recommendation: from a catalogue to a few hundred candidates, ranked, re-ranked.

Read in this order: `README.md` (the design), `config` (what can be turned), `data` (what a
request, a label and leakage mean), `stages/candidates` (popularity first, then ALS and the
two-tower network, then their merge), `stages/features`, `stages/ranking`, `stages/reranking`,
`pipeline` (the boxes wired), `evaluate`, `train`, `serve`.
"""
