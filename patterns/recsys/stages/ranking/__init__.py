"""Rankers: one interface, `fit(examples, valid)` and `score(features, item_ids)`.

With `valid` a ranker stops when it no longer improves there and remembers its `length_` (trees or
epochs); without, it trains for the `length` it is given. What an order is for (clicks, watch time,
ratings) is said in `objectives`; the networks share the stage of `neural`. `biased_mf` stands
beside them: it predicts explicit ratings from ids alone.
"""
