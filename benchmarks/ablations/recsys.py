"""What the logQ correction and the hard negatives of the two-tower network are worth.

The network alone is asked for the test window's requests, trained on all before it, with three
seeds: a user's score is the mean of the three.

Shapes: B test users.
"""

from __future__ import annotations

import numpy as np

from benchmarks.ablations.ablation import Ablation, Flags

DATA: Flags = ("--dataset", "movielens-100k")
SMOKE: Flags = ("--preset", "smoke", "--dataset", "simulated-movies")
NO_LOGQ: Flags = ("--candidates.no-tower-logq",)
NO_HARD: Flags = ("--candidates.tower-hard-negatives", "0")
SEEDS, PAGE = range(3), 10


def tower_ndcg(flags: Flags) -> np.ndarray:
    """Train the two-tower network; return NDCG@10 of its own list for each test user (B,)."""
    return np.mean([_ndcg(flags, seed) for seed in SEEDS], axis=0)


def _ndcg(flags: Flags, seed: int) -> np.ndarray:
    from common.config import parse
    from common.evaluation import ranking
    from patterns.recsys.config import PRESETS
    from patterns.recsys.data import load, split
    from patterns.recsys.entities.requests import requests_within
    from patterns.recsys.pipeline import sources_of
    from patterns.recsys.stages.candidates.two_tower import TwoTower

    config = parse(PRESETS, description="", argv=flags)
    splits = split(load(config), config)
    past = splits.train.joined(splits.valid)
    requests, answers, _ = requests_within(past, splits.test, splits.catalogue, moments=(0.5,))
    stages = sources_of(config, splits.catalogue)
    tower = next(stage for stage in stages if isinstance(stage, TwoTower))
    tower.seed = seed
    found = tower.fit(past, splits.catalogue).retrieve(requests, PAGE)
    judged = ranking.judge(found.item_ids, answers)
    return ranking.ndcg(judged.relevance, judged.ideal, PAGE)


VARIANTS: dict[str, Flags] = {
    "both, the default": DATA,
    "without logQ": (*DATA, *NO_LOGQ),
    "without hard negatives": (*DATA, *NO_HARD),
    "without both": (*DATA, *NO_LOGQ, *NO_HARD),
}
ABLATIONS = {
    "two-tower": Ablation(
        pattern="recsys",
        command="patterns.recsys.train",
        variants=VARIANTS,
        scores=tower_ndcg,
        metric="NDCG@10",
        unit="users, mean of three seeds",
        smoke=SMOKE,
    )
}
