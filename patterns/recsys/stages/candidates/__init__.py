"""Candidate sources, the baseline first, and their merge.

Each source has `fit`, `retrieve(requests, k)` for its own candidates, `score(requests, item_ids)`
for any candidates (the ranker wants every source's opinion of every candidate), `save`, `load`.
"""
