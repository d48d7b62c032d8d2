"""All candidate sources behind one verb: fitted together, asked together, merged with provenance.

    popularity -> segment popularity -> ALS -> item-kNN -> EASE -> two-tower -> content
                     `per_source` items each, merged to `keep` by shares

The list is the pipeline's, usually from the simplest to the most elaborate, the baseline first.
Every source also scores candidates that others found (`score_all`), because the ranker wants all
opinions on each.

Shapes: `B` requests, `K` candidates, `N` items, `D` dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import write_json
from common.retrieval import Candidates, Fused
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests
from patterns.recsys.stages.candidates.again import Again
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.content import Content
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.segment_popularity import SegmentPopularity
from patterns.recsys.stages.candidates.source import EVIDENCE, Source
from patterns.recsys.stages.candidates.two_tower import TwoTower
from patterns.recsys.stages.cold_start.new_items import NewItems
from patterns.recsys.stages.merging import choose_shares, merge

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

KINDS: tuple[type[Source], ...] = (
    Popularity, SegmentPopularity, Again, ALS, ItemKNN, EASE, TwoTower, Content, NewItems,
)  # fmt: skip


class Sources:
    """The candidate stage: any list of sources, of which the first is the baseline."""

    def __init__(
        self,
        *,
        members: Sequence[Source],
        per_source: int,
        keep: int,
        shares: Sequence[float] | None = None,
        left_out: Sequence[str] = (),
    ) -> None:
        """Take the sources and what each counts in the merge, equally much by default.

        `left_out` names those that do not stand, each with what it lacks.
        """
        self.members = tuple(members)
        self.per_source = per_source
        self.keep = keep
        self.shares_ = [1.0] * len(self.members) if shares is None else list(shares)
        self.left_out = tuple(left_out)

    @classmethod
    def for_catalogue(
        cls, members: Sequence[Source], catalogue: Catalogue, **settings: Any
    ) -> Sources:
        """Take those of `members` that lack nothing they read; `notices` names the others."""
        lacking = {member.name: member.lacks(catalogue) for member in members}
        left_out = [f"{name} ({what})" for name, what in lacking.items() if what is not None]
        stand = [member for member in members if lacking[member.name] is None]
        return cls(members=stand, left_out=left_out, **settings)

    def __iter__(self) -> Iterator[Source]:
        return iter(self.members)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Any:
        return self.members[self.names.index(name)]

    @property
    def names(self) -> list[str]:
        """The sources' names in their order."""
        return [member.name for member in self.members]

    @property
    def notices(self) -> list[str]:
        """What a user should know of how the sources came about."""
        said = [member.notice_ for member in self.members if member.notice_]
        if self.left_out:
            names = ", ".join(self.left_out)
            said.append(f"Left out, since the data does not have what they read: {names}.")
        return said

    def fit(
        self,
        events: Events,
        catalogue: Catalogue,
        *,
        checkpoints: Path | None = None,
        resume: bool = False,
    ) -> Sources:
        """Fit all on `events`."""
        for member in self.members:
            folder = checkpoints and checkpoints / f"{member.name}-{len(events)}"
            member.fit(events, catalogue, checkpoint=folder, resume=resume)
        return self

    def unfitted(self, changes: Mapping[str, Mapping[str, Any]]) -> Sources:
        """Return the same sources before any fit, with `changes` to hyperparameters by name.

        A source that reads no events is the same for any events, so it is shared as it is.
        """
        members = [
            member.unfitted(**changes.get(member.name, {})) if "events" in member.reads else member
            for member in self.members
        ]
        return Sources(
            members=members, per_source=self.per_source, keep=self.keep, shares=self.shares_
        )

    def choose_shares(self, lists: Sequence[Candidates], answers: csr_matrix) -> Sources:
        """Choose what each source counts on `lists` whose `answers` (B, N) are known."""
        self.shares_ = choose_shares(lists, answers, k=self.keep)
        return self

    def lists(self, requests: Requests, k: int | None = None) -> list[Candidates]:
        """Return each source's own `k` candidates, `per_source` by default."""
        return [member.retrieve(requests, k or self.per_source) for member in self.members]

    def merged(self, lists: Sequence[Candidates], *, first: str | None = None) -> Fused:
        """Merge what `lists` gave; with the name of a source, its list first and whole."""
        shares = self.shares_ if first is None else [float(name == first) for name in self.names]
        return merge(lists, k=self.keep, shares=shares)

    def retrieve(self, requests: Requests, *, first: str | None = None) -> Fused:
        """Return the candidates (B, keep) with who found them, as `merged` does."""
        return self.merged(self.lists(requests), first=first)

    def score_all(self, requests: Requests, item_ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return each source's opinion of the candidates (B, K)."""
        return {member.name: member.score(requests, item_ids) for member in self.members}

    def spaces(self) -> dict[str, np.ndarray]:
        """Return the unit vectors of items (N, D) in which their nearness is measured."""
        spaces = {member.name: member.space for member in self.members}
        return {name: space for name, space in spaces.items() if space is not None}

    def found_by(self, bits: int) -> list[str]:
        """Name the sources of a bit mask of `Fused.found_by`."""
        return [name for place, name in enumerate(self.names) if bits >> place & 1]

    def reason(
        self, request: Requests, item: int, titles: np.ndarray, found_by: Sequence[str]
    ) -> str:
        """Say why `item` is on the page of the one user of `request`: the most personal reason.

            because you chose …          items of the history with the largest weight
            similar to …                 no such weight, but a text near to a recent item's
            popular lately …             neither: it is popular, overall or among similar people

        The reason is what the sources say; what the ranker looks at is in the report. Among sources
        of equal evidence the later one, the more elaborate, is asked first.
        """
        for evidence in EVIDENCE:
            for member in reversed(self.members):
                if member.explains == evidence:
                    proposed = member.name in found_by
                    words = member.because(request, item, titles, proposed=proposed)
                    if words:
                        return words
        return "popular lately"

    def save(self, folder: Path) -> None:
        """Write all sources, each in a folder of its own."""
        for member in self.members:
            (folder / member.name).mkdir()
            member.save(folder / member.name)
        settings: dict[str, Any] = {"members": self.names, "shares": self.shares_}
        settings |= {"per_source": self.per_source, "keep": self.keep}
        write_json(folder / "sources.json", settings)

    @classmethod
    def load(cls, folder: Path) -> Sources:
        """Read what `save` wrote; which sources there are is written there too."""
        settings = json.loads((folder / "sources.json").read_text(encoding="utf-8"))
        kinds = {kind.name: kind for kind in KINDS}
        members = [kinds[name].load(folder / name) for name in settings.pop("members")]
        return cls(members=members, **settings)
