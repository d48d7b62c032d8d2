"""DeepFM, lifted out of the house, on a plain table of clicks: as good as in a bare torch loop."""

from pathlib import Path

import numpy as np
import torch
from lifting import copy_stages, run_lifted
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import OneHotEncoder

from patterns.recsys.stages.ranking.deepfm import DeepFMNetwork

SIZES = (50, 40, 30, 20, 15, 12, 10, 8, 5, 3)
ROWS, TRAIN = 40_000, 30_000
SETTINGS = {"dimension": 8, "hidden": 64, "dropout": 0.2}
EPOCHS, BATCH, RATE, DECAY = 8, 512, 5e-3, 1e-3
SCRIPT = f"""
import numpy as np
from patterns.recsys.stages.ranking.deepfm import DeepFM
from patterns.recsys.stages.ranking.examples import Examples

with np.load("clicks.npz") as clicks:
    table = Examples.of_table(np.zeros(({ROWS}, 0)), clicks["codes"], clicks["labels"])
train, test = table.part(np.arange({TRAIN})), table.part(np.arange({TRAIN}, {ROWS}))
ranker = DeepFM(
    categories={SIZES}, metric="auc", negative_share=1.0, epochs={EPOCHS}, batch_size={BATCH},
    learning_rate={RATE}, weight_decay={DECAY}, device="cpu", **{SETTINGS},
)
scores = ranker.fit(train).score(test.features, test.codes)
np.save("scores.npy", scores[:, 0])
"""


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Give codes (R, 10) and clicks (R,) that follow weak single effects and strong pairs."""
    rng = np.random.default_rng(0)
    codes = rng.integers(SIZES, size=(ROWS, len(SIZES)))
    logits = sum(rng.normal(0, 0.3, size)[codes[:, field]] for field, size in enumerate(SIZES))
    vectors = [rng.normal(size=(size, 2))[codes[:, field]] for field, size in enumerate(SIZES)]
    for first, second in ((0, 1), (2, 3), (4, 5), (6, 7), (1, 8)):
        logits = logits + 0.8 * (vectors[first] * vectors[second]).sum(axis=1)
    return codes, (rng.random(ROWS) < 1 / (1 + np.exp(-logits))).astype(np.float32)


def bare_loop(codes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Train the network as a tutorial would; give the logits of the rows held out."""
    torch.manual_seed(0)
    network = DeepFMNetwork(0, categories=SIZES, **SETTINGS)
    fields, clicked = torch.from_numpy(codes), torch.from_numpy(labels)
    blank = torch.zeros(ROWS, 0)
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    steps = EPOCHS * -(-TRAIN // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        for batch in torch.randperm(TRAIN).split(BATCH):
            optimizer.zero_grad()
            logits = network(blank[batch], fields[batch])
            torch.nn.functional.binary_cross_entropy_with_logits(logits, clicked[batch]).backward()
            optimizer.step()
            schedule.step()
    network.eval()
    with torch.no_grad():
        return np.asarray(network(blank[TRAIN:], fields[TRAIN:]))


def test_deepfm_lifted_is_within_a_point_of_a_bare_loop(tmp_path: Path) -> None:
    codes, labels = planted()
    copy_stages("recsys", tmp_path)
    np.savez(tmp_path / "clicks.npz", codes=codes, labels=labels)
    run_lifted(tmp_path, SCRIPT)
    ours = roc_auc_score(labels[TRAIN:], np.load(tmp_path / "scores.npy"))
    bare = roc_auc_score(labels[TRAIN:], bare_loop(codes, labels))
    marks = OneHotEncoder().fit_transform(codes)
    linear = LogisticRegression(max_iter=200).fit(marks[:TRAIN], labels[:TRAIN])
    single = roc_auc_score(labels[TRAIN:], linear.decision_function(marks[TRAIN:]))
    print(f"AUC: lifted {ours:.4f}, bare loop {bare:.4f}, without interactions {single:.4f}")
    assert ours > bare - 0.01
    assert bare > single + 0.05
