"""Two-stage recommendation: from a catalogue to a few hundred candidates, ranked, re-ranked.

Read in this order: `README.md` (the design), `config` (what can be turned), `data` and `requests`
(what a request, a label and leakage mean), `catalogue`, `stages/candidates` (popularity first),
`stages/merging` and `sources` (all of them behind one verb), `stages/features`, `stages/ranking`
with `exposures` and `ranking` (rankers side by side), `stages/reranking`, `pipeline` (the boxes
wired), `evaluate`, `evaluate_pages`, `evaluate_cold` with `stages/cold_start` and `cold`,
`figures`, `train`, `reasons`, `serve`.

Beside the main line: `nightly` makes everybody's `pages`; `recommend` and `similar` ask from the
command line; `protocols` runs what others published.
"""
