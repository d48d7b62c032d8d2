"""Our ALS stage against the library `implicit` called directly, with equal settings.

    python -m benchmarks.als           a minute; keeps the result and renders the README
    python -m benchmarks.als --smoke   seconds, small, keeps nothing

The stage adds to the library what a server needs: any history is folded in, whether or not its user
was trained on, and the items of a FAISS index are searched. `implicit` does the same by
`recommend(recalculate_user=True)`; without it, it takes the user factors of training, which is less
work and told too. The baseline of each row is the library; a ratio below 1 is in our favour.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.timing import interleaved, is_smoke, keep, one_thread
from common import console
from common.evaluation.report import Report, Row, Table
from data.tables import Interactions

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

K = 100
COLUMNS = ("implicit ms", "ours ms", "ratio", "same items")
SETTINGS = {"factors": 64, "iterations": 10, "regularization": 0.05}
CONFIDENCE = 2.0


def main(arguments: Sequence[str]) -> int:
    """Measure, print, keep."""
    smoke = is_smoke("als", __doc__ or "", arguments)
    one_thread()
    started = time.perf_counter()
    table = _world(smoke)
    report = Report("als", table.source)
    console.header("benchmark als", table.source, None)
    with console.stage("measuring"):
        report.tables.append(compare(_matrix(table), repeats=3 if smoke else 15))
    console.table(report.tables[0])
    if not smoke:
        keep("als", report, started=started, packages=("implicit", "faiss-cpu", "scipy"))
    return 0


def compare(seen: csr_matrix, *, repeats: int) -> Table:
    """Time fitting, a batch of all users and one request, library and stage in turns."""
    from patterns.recsys.entities.requests import Requests
    from patterns.recsys.stages.candidates.als import ALS

    def fit_ours() -> ALS:
        return ALS(confidence=CONFIDENCE, **SETTINGS).fit_matrix(seen)  # type: ignore[arg-type]

    theirs, ours = _fit_implicit(seen), fit_ours()
    users = seen.shape[0]
    nobody, never = np.zeros((users, 1), np.int64), np.zeros(users, np.int64)
    requests = Requests(nobody, never, np.full((users, 50), -1), seen)
    one, middle = requests.part(slice(0, 1)), np.arange(users)
    cases: dict[str, tuple[Callable[[], Any], Callable[[], Any], int]] = {
        "fit": (lambda: _fit_implicit(seen), fit_ours, max(repeats // 3, 3)),
        f"batch of {users:,}, histories folded in": (
            lambda: theirs.recommend(middle, seen, N=K, recalculate_user=True),
            lambda: ours.retrieve(requests, K),
            repeats,
        ),
        f"batch of {users:,}, the library without folding in": (
            lambda: theirs.recommend(middle, seen, N=K),
            lambda: ours.retrieve(requests, K),
            repeats,
        ),
        "one request, its history folded in": (
            lambda: theirs.recommend(0, one.seen, N=K, recalculate_user=True),
            lambda: ours.retrieve(one, K),
            40 * repeats,
        ),
    }
    rows = [_row(name, *case) for name, case in cases.items()]
    caption = (
        f"{SETTINGS['factors']} factors, {SETTINGS['iterations']} iterations, medians of turns."
    )
    return Table("our ALS stage against implicit", COLUMNS, tuple(rows), caption)


def _row(name: str, theirs: Callable[[], Any], ours: Callable[[], Any], repeats: int) -> Row:
    seconds = interleaved({"implicit": theirs, "ours": ours}, repeats=repeats)
    values: dict[str, Any] = {
        "implicit ms": 1000 * seconds["implicit"],
        "ours ms": 1000 * seconds["ours"],
        "ratio": seconds["ours"] / seconds["implicit"],
    }
    if name != "fit":
        expected, found = np.atleast_2d(theirs()[0]), ours().item_ids
        pairs = zip(expected, found, strict=True)
        values["same items"] = float(np.mean([len(np.intersect1d(*pair)) / K for pair in pairs]))
    return Row(name, values)


def _fit_implicit(seen: csr_matrix) -> Any:
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # as the library asks for, and as the stage has it
        model = AlternatingLeastSquares(alpha=CONFIDENCE, random_state=0, use_gpu=False, **SETTINGS)
        model.fit(seen, show_progress=False)
    return model


def _world(smoke: bool) -> Interactions:
    from data.simulated import movies

    if smoke:
        return movies.generate(users=300, items=400, events=10_000)
    return movies.generate(users=4_000, items=3_000, events=300_000)


def _matrix(table: Interactions) -> csr_matrix:
    """Return users x items of 0 and 1."""
    from scipy.sparse import csr_matrix

    columns = ("user_id", "item_id")
    users, items = (
        np.unique(table.interactions[column].to_numpy(), return_inverse=True)[1]
        for column in columns
    )
    matrix = csr_matrix((np.ones(len(users), np.float32), (users, items)))
    matrix.data[:] = 1.0
    return matrix


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
