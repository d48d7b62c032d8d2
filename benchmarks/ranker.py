"""What the house costs a ranker: an epoch of DeepFM by our stage against a bare PyTorch loop.

    python -m benchmarks.ranker                  eleven pairs, interleaved
    python -m benchmarks.ranker --repeats 25
    python -m benchmarks.ranker --smoke          one pair on few rows, keeps nothing

Both train the same network on the same rows by the same loss, batch size and optimiser, for one
epoch. The bare loop is the one of PyTorch's tutorials: shuffle, forward, backward, step. The stage
adds what `common.training.fit` adds (device, precision, schedule, finite check, progress, history)
and its own preparation of the rows. The loops take turns in alternating order, so that a busy
machine slows both alike; the figure is the median of the ratios of the pairs. The other two
networks are timed by the way.

The rows are drawn at random: what they say does not matter to the clock. The result is kept as
`benchmarks/results/ranker.json`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import machine
from benchmarks.kept import RESULTS
from common import console
from common.atomic import write_json
from common.config import set_openmp_waiting

if TYPE_CHECKING:
    from patterns.recsys.stages.ranking.examples import Examples
    from patterns.recsys.stages.ranking.neural import NeuralRanker

REQUESTS, CANDIDATES, FEATURES, ITEMS = 750, 200, 30, 1_682
SETTINGS: dict[str, Any] = {"batch_size": 2048, "negative_share": 1.0}  # every row, in both loops
TARGET = 1.05  # seconds of ours over seconds of the bare loop


def main(arguments: Sequence[str]) -> int:
    """Measure, print and keep; the exit code is 1 where the target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ranker",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--repeats", type=int, default=11, help="pairs of runs (11)")
    parser.add_argument("--smoke", action="store_true", help="run small and keep nothing")
    chosen = parser.parse_args(arguments)
    if chosen.repeats < 1:
        console.error(f"repeats: {chosen.repeats} is out of range; give 1 or more")
        return 2
    set_openmp_waiting()
    result = measure(1, requests=50) if chosen.smoke else measure(chosen.repeats)
    if not chosen.smoke:
        RESULTS.mkdir(parents=True, exist_ok=True)
        write_json(RESULTS / "ranker.json", result)
    for name, seconds in result["seconds_per_epoch"].items():
        console.info(f"{name}: {seconds:.2f} s an epoch of {result['rows']:,} rows")
    console.info(f"stage over bare loop: {result['ratio']:.3f} (at most {TARGET} is the target)")
    return 0 if chosen.smoke or result["ratio"] <= TARGET else 1


def measure(repeats: int, requests: int = REQUESTS) -> dict[str, Any]:
    """Time the loops in turn, `repeats` times after a warm-up."""
    import torch

    from patterns.recsys.stages.ranking.deepfm import DeepFM
    from patterns.recsys.stages.ranking.wide_deep import WideDeep
    from patterns.recsys.stages.ranking.xdeepfm import XDeepFM

    examples = _examples(requests)
    loops: dict[str, Callable[[], None]] = {"bare deepfm": partial(bare_epoch, examples)}
    loops |= {each.name: partial(our_epoch, each, examples) for each in (DeepFM, WideDeep, XDeepFM)}
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(repeats + 1):
        for name in list(loops)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            loops[name]()
            if turn:  # the first turn warms up
                seconds[name].append(time.perf_counter() - start)
    ratios = [a / b for a, b in zip(seconds["deepfm"], seconds["bare deepfm"], strict=True)]
    return {
        "command": "python -m benchmarks.ranker",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "versions": {"torch": torch.__version__},
        "rows": requests * CANDIDATES,
        "features": FEATURES,
        "repeats": repeats,
        "seconds_per_epoch": {k: round(statistics.median(v), 3) for k, v in seconds.items()},
        "ratios": [round(ratio, 4) for ratio in ratios],
        "ratio": round(statistics.median(ratios), 4),
        "target": TARGET,
    }


def our_epoch(stage: type[NeuralRanker], examples: Examples) -> None:
    """Train a stage of the house for an epoch."""
    stage(categories=(ITEMS,), device="cpu", **SETTINGS).fit(examples, length=1)


def bare_epoch(examples: Examples, seed: int = 0) -> None:
    """Train DeepFM for an epoch as one would without the house, with the stage's settings."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    from patterns.recsys.stages.ranking.deepfm import DeepFM

    settings = DeepFM(categories=(ITEMS,), **SETTINGS)
    torch.manual_seed(seed)
    rows = examples.flat()
    features, codes, labels = (torch.from_numpy(each) for each in rows[:3])
    network = settings.network(FEATURES, **settings.sizes)
    network.adapt(rows.features)
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    network.train()
    for batch in torch.randperm(len(labels)).split(settings.batch_size):
        optimizer.zero_grad()
        logits = network(features[batch], codes[batch])
        binary_cross_entropy_with_logits(logits, labels[batch]).backward()
        optimizer.step()


def _examples(requests: int, seed: int = 0) -> Examples:
    from patterns.recsys.stages.ranking.examples import Examples

    rng = np.random.default_rng(seed)
    shape = requests, CANDIDATES
    features = rng.normal(size=(*shape, FEATURES)).astype(np.float32)
    labels = (rng.random(shape) < 0.05).astype(np.float32)
    item_ids = rng.integers(ITEMS, size=shape)
    values = np.full(shape, np.nan, dtype=np.float32)
    return Examples.of_items(features, item_ids, labels, values)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
