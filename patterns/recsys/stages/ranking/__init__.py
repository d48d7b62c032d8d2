"""Rankers: one interface, `fit(examples, valid)` and `score(features, codes, real)`.

With `valid` a ranker stops when it no longer improves there and remembers its `length_` (trees or
epochs); without, it trains for the `length` it is given. What an order is for (clicks, watch time,
ratings) is said in `objectives`; `networks` has what the networks share, `neural` the stage around
them, `cross_fit` the judging on users not seen, `choice` the rankers side by side. `biased_mf`
stands beside them: it predicts explicit ratings from ids alone.

A ranker knows no item: it takes lists of rows with dense features and categorical codes, of which
the item's id may be one, so it runs as well on a plain table of clicks.
"""
