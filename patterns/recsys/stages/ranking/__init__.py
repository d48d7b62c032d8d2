"""Rankers: one interface, `fit(examples, valid)` and `score(features, item_ids)`."""
