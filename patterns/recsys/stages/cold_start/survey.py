"""The onboarding survey: a few titles that tell most about a new user.

"Did you like it?" has three answers: liked, disliked, unknown. A tree asks, at each node, the title
whose answers split the node's users into the least similar groups: the profile of a group is the
mean of its users' rows, and the title minimises the squared error of these means,

    sum_{groups g} sum_{u in g} |r_u - mean_g|^2  =  n - sum_g |sum_{u in g} r_u|^2 / n_g

with r_u the user's row of 0 and 1 scaled to unit length, so that taste counts and not activity. The
sums of a group are one sparse product per answer; the unknown are what is left of the node's sum,
hence no pass over them. Profiles are pulled to the parent's as if by `prior` more users. A tree of
depth 5 holds at most 364 profiles of N numbers.

With `adaptive=False` the same titles are asked of everybody, those of largest
log(popularity) * entropy0 of the three answers, where the unknown weigh half: the baseline.

Sources: Golbandi, Koren & Lempel, WSDM 2011 (the tree); Rashid et al., IUI 2002 and SIGKDD
Explorations 2008 (the list). The tree there predicts ratings, here what is interacted with.

Shapes: `U` users, `N` items, `C` candidate questions, `V` nodes, `B` requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from common.retrieval import MISSING
from patterns.recsys.entities.events import Events

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

UNKNOWN, LIKED, DISLIKED = 0, 1, -1
ANSWERS = (UNKNOWN, LIKED, DISLIKED)  # the order of a node's children; -1 indexes the last


class Survey:
    """A tree of questions with a profile at each node."""

    def __init__(
        self,
        *,
        depth: int = 5,
        adaptive: bool = True,
        questions: int = 200,
        least_users: int = 20,
        prior: float = 20.0,
        like: float | None = None,
    ) -> None:
        """Ask at most `depth` of the `questions` most popular items; ratings from `like` on like.

        Without `like` it is the mean rating.
        """
        self.depth = depth
        self.adaptive = adaptive
        self.questions = questions
        self.least_users = least_users
        self.prior = prior
        self.like = like

    def fit(self, events: Events, *, users: int, items: int) -> Self:
        """Grow the tree on all users with events; an event without a rating is a like."""
        answers = answer_matrix(events, users, items, like=self.like)
        answers = answers[np.flatnonzero(np.diff(answers.indptr))]
        rows = _unit_rows(answers)
        count = np.bincount(answers.indices, minlength=items)
        asked = np.argsort(-count, kind="stable")[: min(self.questions, int((count > 0).sum()))]
        liked = _where(answers, LIKED).tocsc()[:, asked].tocsr()  # (U, C)
        disliked = _where(answers, DISLIKED).tocsc()[:, asked].tocsr()
        fixed = None if self.adaptive else _by_entropy(liked, disliked, answers.shape[0])
        self._grow(rows, liked, disliked, asked, fixed)
        return self

    def _grow(
        self,
        rows: csr_matrix,
        liked: csr_matrix,
        disliked: csr_matrix,
        asked: np.ndarray,
        fixed: np.ndarray | None,
    ) -> None:
        """Grow level by level; `asked` (C,) are the items of the columns of the answers."""
        everyone = np.arange(rows.shape[0])
        total = np.asarray(rows.sum(axis=0)).ravel()
        questions: list[int] = []
        children: list[list[int]] = []
        profiles = [total / max(len(everyone), 1)]
        level = [(everyone, total, frozenset[int]())]  # a node's users, their sum, what was asked
        for depth in range(self.depth + 1):
            following = []
            for members, summed, before in level:
                node = len(questions)
                own = rows[members], liked[members], disliked[members]
                place = MISSING
                if depth < self.depth and len(members) >= self.least_users:
                    place = _next_question(*own, summed, before, fixed)
                questions.append(int(asked[place]) if place != MISSING else MISSING)
                children.append([MISSING] * len(ANSWERS))
                for answer, group in _groups(*own[1:], place).items():
                    part = np.asarray(own[0][group].sum(axis=0)).ravel()
                    children[node][answer] = len(profiles)
                    profiles.append(self._shrunk(part, len(group), profiles[node]))
                    following.append((members[group], part, before | {place}))
            level = following
        self.questions_ = np.array(questions)  # (V,) item asked, -1 at a leaf
        self.children_ = np.array(children)  # (V, 3) by answer
        self.profiles_ = np.stack(profiles).astype(np.float32)  # (V, N)

    def _shrunk(self, summed: np.ndarray, count: int, parent: np.ndarray) -> np.ndarray:
        """Pull the mean of `count` rows to the parent's; a group of nobody is its parent."""
        if count + self.prior == 0:
            return parent
        return (summed + self.prior * parent) / (count + self.prior)

    def ask(self, answers: Mapping[int, int]) -> int | None:
        """Return the next item to ask about after `answers` (item -> answer); None at the end."""
        question = int(self.questions_[self._node(answers)])
        return None if question == MISSING else question

    def profile(self, answers: Mapping[int, int]) -> np.ndarray:
        """Return the scores of all items (N,) of users who answered alike; asked ones included."""
        return self.profiles_[self._node(answers)]

    def walk(self, answers: csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Answer the survey for known users by their rows (B, N) of 1 liked and -1 disliked.

        Returns the node each ends at (B,) and the items asked on the way (B, depth), -1 padded.
        """
        node = np.zeros(answers.shape[0], dtype=np.int64)
        asked = np.full((len(node), self.depth), MISSING)
        for step in range(self.depth):
            question = self.questions_[node]
            going = np.flatnonzero(question != MISSING)
            if not len(going):
                break
            asked[going, step] = question[going]
            given = np.asarray(answers[going, question[going]]).ravel().astype(np.int64)
            node[going] = self.children_[node[going], given]
        return node, asked

    def save(self, folder: Path) -> None:
        """Write the tree and the profiles."""
        np.savez(
            folder / "survey.npz",
            questions=self.questions_,
            children=self.children_,
            profiles=self.profiles_,
            depth=np.array(self.depth),
        )

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        with np.load(folder / "survey.npz") as arrays:
            stage = cls(depth=int(arrays["depth"]))
            stage.questions_, stage.children_ = arrays["questions"], arrays["children"]
            stage.profiles_ = arrays["profiles"]
        return stage

    def _node(self, answers: Mapping[int, int]) -> int:
        for item, answer in answers.items():
            if answer not in ANSWERS:
                raise ValueError(f"answers[{item}]: {answer} is not known; use 1, -1 or 0")
        node = 0
        while (question := int(self.questions_[node])) in answers:
            node = int(self.children_[node, answers[question]])
        return node


def answer_matrix(
    events: Events, users: int, items: int, *, like: float | None = None
) -> csr_matrix:
    """Return what users would answer (U, N), 1 liked and -1 disliked; of a pair the last counts.

    Ratings from `like` on are liked, by default from the mean of all ratings.
    """
    from scipy.sparse import csr_matrix

    if like is None:
        known = events.ratings[~np.isnan(events.ratings)]
        like = float(known.mean(dtype=np.float64)) if len(known) else 0.0
    order = np.argsort(events.times, kind="stable")
    pairs = (events.users * items + events.items)[order][::-1]
    _, first = np.unique(pairs, return_index=True)
    last = order[::-1][first]
    liked = ~(events.ratings[last] < like)  # NaN likes
    values = np.where(liked, LIKED, DISLIKED).astype(np.float32)
    return csr_matrix((values, (events.users[last], events.items[last])), shape=(users, items))


def _unit_rows(answers: csr_matrix) -> csr_matrix:
    """Return the answered items, liked or not, as rows of unit length."""
    rows = answers.copy()
    length = np.diff(rows.indptr)
    rows.data = np.repeat(1.0 / np.sqrt(np.maximum(length, 1)), length).astype(np.float32)
    return rows


def _where(answers: csr_matrix, answer: int) -> csr_matrix:
    """Return a 0/1 matrix of one answer."""
    matrix = answers.copy()
    matrix.data = (matrix.data == answer).astype(np.float32)
    matrix.eliminate_zeros()
    return matrix


def _groups(liked: csr_matrix, disliked: csr_matrix, place: int) -> dict[int, np.ndarray]:
    """Split users by their answer to one question: positions by answer; no question, no groups."""
    if place == MISSING:
        return {}
    answer = np.asarray((liked[:, [place]] - disliked[:, [place]]).todense()).ravel()
    return {each: np.flatnonzero(answer == each) for each in ANSWERS}


def _next_question(
    rows: csr_matrix,
    liked: csr_matrix,
    disliked: csr_matrix,
    total: np.ndarray,
    before: frozenset[int],
    fixed: np.ndarray | None,
) -> int:
    """Return the question of the least squared error not yet asked, or the next of a fixed list."""
    if fixed is not None:
        return int(fixed[len(before)]) if len(before) < len(fixed) else MISSING
    width = liked.shape[1]
    if len(before) == width:
        return MISSING
    explained = np.zeros(width)  # sum_g |sum r|^2 / n_g, per question
    left = np.full(width, float(rows.shape[0]))  # the unknown: in no answer's group
    left_sum = np.tile(total, (width, 1))  # (C, N)
    for answer in (liked, disliked):
        size = np.asarray(answer.sum(axis=0)).ravel()
        summed = (answer.T @ rows).toarray()  # (C, N)
        explained += (summed**2).sum(axis=1) / np.maximum(size, 1)
        left, left_sum = left - size, left_sum - summed
    explained += (left_sum**2).sum(axis=1) / np.maximum(left, 1)
    explained[list(before)] = -np.inf
    return int(explained.argmax())


def _by_entropy(liked: csr_matrix, disliked: csr_matrix, users: int) -> np.ndarray:
    """Order questions by log popularity times entropy0, the largest first."""
    counts = np.stack([np.asarray(each.sum(axis=0)).ravel() for each in (liked, disliked)])
    unknown = users - counts.sum(axis=0)
    share = np.concatenate([unknown[None], counts]) / max(users, 1)  # (3, C)
    weight = np.array([[0.5], [1.0], [1.0]])
    entropy0 = -(weight * share * np.log(np.maximum(share, 1e-12))).sum(axis=0) / weight.sum()
    return np.argsort(-np.log1p(counts.sum(axis=0)) * entropy0, kind="stable")
