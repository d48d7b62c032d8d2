"""What is served: the list that validation prefers, the ranked one or a simpler one.

    baseline | best source | merged | + ranking        the largest NDCG@10, ties to the simplest

A source that is served comes first and whole; the others fill up where its list is short. The
ranked list is by rankers that had not seen the user, so all four are judged on new users alike.
The merged list is judged on the requests that its shares were chosen on, which favours it a little.

Shapes: `B` requests, `K` candidates.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, Self

import numpy as np

from common.atomic import write_json
from common.preference import preferred
from common.retrieval import Candidates
from patterns.recsys.entities.lists import JudgedLists
from patterns.recsys.stages.candidates.sources import Sources
from patterns.recsys.stages.ranking.objectives import Objective
from patterns.recsys.stages.training import Task

MERGED, RANKED = "merged", "+ ranking"  # lists that may be served, beside those of the sources


class Serving:
    """Chooses the list that is re-ranked and served; before any fit that is the ranked one."""

    def __init__(
        self, *, serve: Literal["best", "ranked"] = "best", objective: Objective = "ctr"
    ) -> None:
        """Take whether the best list is served, or the ranked one whatever validation says.

        A ranker of another `objective` than clicks is not judged by clicks: it is served.
        """
        self.serve = serve if objective == "ctr" else "ranked"
        self.served_ = RANKED
        self.valid_ndcgs_: dict[str, float] = {}  # NDCG@10 of the lists that might be served
        self.notice_: str | None = None

    def fit(self, task: Task, sources: Sources, scores: np.ndarray) -> Self:
        """Choose on the requests of `task`, whose candidates the ranker gave `scores` (B, K).

        `judged_` is the served list with its answers.
        """
        lists = _lists(task, sources) | {MERGED: task.merged, RANKED: task.ranked(scores)}
        self.valid_ndcgs_ = {name: task.quality(found) for name, found in lists.items()}
        self.served_, self.notice_ = RANKED, None
        if self.serve == "best":
            self.served_, self.notice_ = preferred(
                self.valid_ndcgs_, RANKED, measure="NDCG@10 on validation",
                told="{served} is served, not the ranked list (serve: ranked would serve that)",
            )  # fmt: skip
        self.judged_ = JudgedLists(task.requests, lists[self.served_], task.answers)
        return self

    @property
    def notices(self) -> list[str]:
        """What a user should know of the choice: that it is not the ranked list, and why."""
        return [] if self.notice_ is None else [self.notice_]

    @property
    def first(self) -> str | None:
        """The source whose own list is served; None where it is the merged or the ranked one."""
        return None if self.served_ in (MERGED, RANKED) else self.served_

    def save(self, folder: Path) -> None:
        """Write what was chosen, and why."""
        settings = {"serve": self.serve, "served": self.served_, "notice": self.notice_}
        write_json(folder / "serving.json", settings | {"valid_ndcgs": self.valid_ndcgs_})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        settings = json.loads((folder / "serving.json").read_text(encoding="utf-8"))
        stage = cls(serve=settings["serve"])
        stage.served_, stage.notice_ = settings["served"], settings["notice"]
        stage.valid_ndcgs_ = settings["valid_ndcgs"]
        return stage


def _lists(task: Task, sources: Sources) -> dict[str, Candidates]:
    """Return the lists of the baseline and of the best source, each filled up by the others."""
    own = dict(zip(sources.names, task.lists, strict=True))
    quality = {name: task.quality(found) for name, found in own.items()}
    first, best = sources.names[0], max(quality, key=quality.__getitem__)
    return {
        name: sources.merged(task.lists, first=name).candidates
        for name in dict.fromkeys((first, best))
    }
