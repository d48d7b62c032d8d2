"""Two-stage recommendation: from a catalogue to a few hundred candidates, ranked, re-ranked.

Read in this order: `README.md` (the design), `config`, `data` with `entities/requests` (what a
request, a label and leakage mean), `stages/candidates` (popularity first), `stages/merging`,
`stages/features`, `stages/ranking` with `stages/training`, `stages/reranking`, `stages/cold_start`,
`pipeline` (the boxes wired), `evaluate` with `evaluation/` and `figures`, `train`, `serve`.

Beside the main line: `nightly` makes everybody's page; `recommend` asks from the command line;
`protocols` runs what others published.
"""
