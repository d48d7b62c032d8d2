"""The last slots of a page, given to items that little is known of, with their propensities.

A recommender that shows only what it believes in never learns of the rest. In each of the last
`slots` places the page keeps its next item with probability 1 - epsilon and otherwise draws among
the candidates shown at most `rare` times, by a softmax over an upper confidence bound:

    u_i  = relevance_i + bonus * sqrt(log(1 + sum_j n_j) / (1 + n_i))     n = times shown
    pi_i = exp(u_i / temperature) / sum_{j rare, not on the page} exp(u_j / temperature)

What was shown with which probability is what off-policy evaluation needs. Given the places above
it, item i stands in a slot with propensity

    e(i) = (1 - epsilon) [i is the page's next item] + epsilon pi_i,

1 above the slots, 1 where nothing is rare, and the product over the slots for the page. The draws
are a hash of (seed, request id, day, slot), so equal requests give equal pages, alone or in a
batch, on any machine.

Sources: Auer et al., Finite-time Analysis of the Multiarmed Bandit Problem, 2002 (the bound); Li et
al., WSDM 2011 (logged propensities); Steele et al., OOPSLA 2014 (SplitMix64, the hash).

Shapes: `B` requests, `N` items, `K` candidates, `L` page.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.retrieval import MISSING, Candidates
from patterns.recsys.stages.reranking.greedy import to_unit
from patterns.recsys.stages.reranking.rules import Rules


@dataclass(frozen=True)
class Explored:
    """Pages with what each place's item was shown with; padding has propensity 1."""

    items: Candidates  # (B, L)
    propensities: np.ndarray  # (B, L) float64 in (0, 1], given the places above
    drawn: np.ndarray  # (B, L) bool, where exploration chose


class Exploration:
    """Epsilon-greedy slots over a softmax of upper confidence bounds."""

    def __init__(
        self,
        *,
        slots: int = 1,
        epsilon: float = 1.0,
        rare: int = 20,
        bonus: float = 0.5,
        temperature: float = 0.2,
        seed: int = 0,
    ) -> None:
        if not (0.0 <= epsilon <= 1.0 and temperature > 0.0 and slots >= 0):
            raise ValueError(
                f"slots: {slots}, epsilon: {epsilon}, temperature: {temperature}; give 0 or more"
                " slots, an epsilon in [0, 1] and a temperature above 0"
            )
        self.slots = slots
        self.epsilon = epsilon
        self.rare = rare
        self.bonus = bonus
        self.temperature = temperature
        self.seed = seed

    def fit(self, shown: np.ndarray) -> Self:
        """Keep how often each item was shown (N,); a new item 0 times."""
        self.shown_ = np.asarray(shown, dtype=np.float64)
        self.bound_ = self.bonus * np.sqrt(np.log1p(self.shown_.sum()) / (1.0 + self.shown_))
        return self

    def explore(
        self,
        reranked: Candidates,
        k: int,
        *,
        request_ids: np.ndarray,
        days: np.ndarray,
        rules: Rules | None = None,
    ) -> Explored:
        """Return pages of `k` from lists (B, K) re-ranked with the `rest` behind the page.

        `request_ids` (B,) and `days` (B,) are integers that tell requests apart. Caps of `rules`
        bind what is drawn.
        """
        size, width = reranked.item_ids.shape
        k = min(k, width)
        places = np.tile(np.arange(k), (size, 1))  # into the lists
        propensities, drawn = np.ones((size, k)), np.zeros((size, k), dtype=bool)
        logits = self._logits(reranked)  # (B, K)
        for slot in range(max(k - self.slots, 0), k):
            page = places[:, :slot]
            allowed = _allowed(reranked.item_ids, page, rules)  # (B, K)
            following = _first_open(page, allowed)
            chance = _chances(np.where(allowed, logits, -np.inf), page)  # (B, K)
            some = chance.any(axis=1)
            first, second = _uniforms(self.seed, request_ids, days, slot)
            drawn[:, slot] = some & (first < self.epsilon)
            places[:, slot] = np.where(drawn[:, slot], _draw(chance, second), following)
            picked = places[:, slot : slot + 1]
            weight = self.epsilon * np.take_along_axis(chance, picked, axis=1)[:, 0]
            weight += (1.0 - self.epsilon) * (places[:, slot] == following)
            propensities[:, slot] = np.where(some, weight, 1.0)
        items = Candidates(
            np.take_along_axis(reranked.item_ids, places, axis=1),
            np.take_along_axis(reranked.scores, places, axis=1),
        )
        return Explored(items, propensities, drawn)

    def _logits(self, reranked: Candidates) -> np.ndarray:
        """Return u / temperature (B, K) of rare items, -inf of others."""
        item_ids = reranked.item_ids
        relevance = to_unit(reranked.scores, item_ids, item_ids.shape[1])
        logits = (relevance + self.bound_[item_ids]) / self.temperature
        rare = (item_ids != MISSING) & (self.shown_[item_ids] <= self.rare)
        return np.where(rare, logits, -np.inf)

    def save(self, folder: Path) -> None:
        """Write how often items were shown, and how slots are drawn."""
        np.savez(folder / "exploration.npz", shown=self.shown_)
        names = ("slots", "epsilon", "rare", "bonus", "temperature", "seed")
        write_json(folder / "exploration.json", {name: getattr(self, name) for name in names})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "exploration.json").read_text(encoding="utf-8"))
        with np.load(folder / "exploration.npz") as arrays:
            return cls(**settings).fit(arrays["shown"])


def _allowed(item_ids: np.ndarray, page: np.ndarray, rules: Rules | None) -> np.ndarray:
    """Tell what the caps allow (B, K) next to the places of `page` (B, L)."""
    if rules is None or not rules.caps:
        return np.ones(item_ids.shape, dtype=bool)
    return rules.allowed(item_ids, np.take_along_axis(item_ids, page, axis=1))


def _first_open(page: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return the first place of each list that is not on its page, an allowed one if any: (B,)."""
    open_ = np.ones(allowed.shape, dtype=bool)
    np.put_along_axis(open_, page, False, axis=1)
    return (open_ * 1 + (open_ & allowed)).argmax(axis=1)


def _chances(logits: np.ndarray, page: np.ndarray) -> np.ndarray:
    """Return the softmax (B, K) over what is not on the page; all 0 where every logit is -inf."""
    logits = logits.copy()
    np.put_along_axis(logits, page, -np.inf, axis=1)
    top = logits.max(axis=1, keepdims=True, initial=-np.inf)
    weights = np.exp(logits - np.where(np.isfinite(top), top, 0.0))
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)


def _draw(chance: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draw a place by `chance` (B, K) with one number in [0, 1) each: (B,)."""
    reached = np.cumsum(chance, axis=1) > uniform[:, None]
    last = chance.shape[1] - 1 - (chance[:, ::-1] > 0).argmax(axis=1)  # where rounding falls short
    return np.where(reached.any(axis=1), reached.argmax(axis=1), last)


def _uniforms(
    seed: int, request_ids: np.ndarray, days: np.ndarray, slot: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return two numbers in [0, 1) for each request, the same for the same arguments."""
    state = np.full(len(request_ids), seed, dtype=np.int64).astype(np.uint64)
    for part in (np.asarray(request_ids, np.int64), np.asarray(days, np.int64), slot):
        state = _mixed(state ^ np.asarray(part).astype(np.uint64))
    again = _mixed(state)
    return tuple((each >> np.uint64(11)) * 2.0**-53 for each in (state, again))  # type: ignore


def _mixed(state: np.ndarray) -> np.ndarray:
    """Step SplitMix64 once; arithmetic is modulo 2^64."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
