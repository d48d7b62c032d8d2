"""Rankers on planted data: what each network can see, what objectives mean, equal after a load."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from patterns.recsys.stages.ranking.deepfm import DeepFM, DeepFMNetwork
from patterns.recsys.stages.ranking.examples import Examples, labels_of, values_of
from patterns.recsys.stages.ranking.lightgbm import LightGBMRanker
from patterns.recsys.stages.ranking.neural import RankingNetwork
from patterns.recsys.stages.ranking.objectives import Worth
from patterns.recsys.stages.ranking.wide_deep import WideDeep, WideDeepNetwork
from patterns.recsys.stages.ranking.xdeepfm import CIN, XDeepFM, XDeepFMNetwork

WIDTH = 20
NEURAL = [WideDeep, DeepFM, XDeepFM]
NAMES = [ranker.name for ranker in NEURAL]
SIZES = {"items": 4, "dimension": 4, "hidden": 8, "dropout": 0.0}


def neural(ranker, **settings):
    settings = {"epochs": 12, "learning_rate": 0.02, "batch_size": 256} | settings
    return ranker(items=WIDTH, device="cpu", **settings)


def trees(**settings) -> LightGBMRanker:
    return LightGBMRanker(trees=40, minimum_rows=5, **settings)


MAKERS = [trees, *(lambda each=each, **settings: neural(each, **settings) for each in NEURAL)]
every_ranker = pytest.mark.parametrize("make", MAKERS, ids=["lightgbm", *NAMES])
every_network = pytest.mark.parametrize("ranker", NEURAL, ids=NAMES)


def examples(seed: int, count: int = 80, width: int = WIDTH) -> Examples:
    """Candidates whose label follows the first feature; the second is noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, width, 2)).astype(np.float32)
    labels = (features[..., 0] > 1.0).astype(np.float32)
    item_ids = np.tile(np.arange(width), (count, 1))
    item_ids[:, -1], labels[:, -1] = -1, 0.0
    return Examples(features, item_ids, labels, np.full_like(labels, np.nan))


def valued(
    seed: int, values: tuple[float, float], share: float = 0.3, count: int = 200
) -> Examples:
    """Candidates of two kinds, told by the first feature, taken alike, worth `values`."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=(count, WIDTH))
    features = np.stack([kind, rng.normal(size=kind.shape)], axis=2).astype(np.float32)
    labels = (rng.random(kind.shape) < share).astype(np.float32)
    worth = np.where(labels > 0, np.array(values)[kind], np.nan).astype(np.float32)
    return Examples(features, rng.integers(WIDTH, size=kind.shape), labels, worth)


@every_ranker
def test_rankers_learn_what_matters(make, tmp_path: Path) -> None:
    train, valid, test = examples(0), examples(1), examples(2)
    ranker = make().fit(train, valid)
    assert 1 <= ranker.length_ <= 40
    scores = ranker.score(test.features, test.item_ids)
    assert np.isneginf(scores[:, -1]).all() and np.isfinite(scores[:, :-1]).all()
    top = np.take_along_axis(test.labels, np.argsort(-scores, axis=1)[:, :1], axis=1)
    assert top.mean() > 0.85 > 0.3 > test.labels.mean()
    ranker.save(tmp_path)
    again = make().load(tmp_path).score(test.features, test.item_ids)
    assert np.allclose(again[:, :-1], scores[:, :-1], atol=1e-5)
    one = ranker.score(test.features[:1], test.item_ids[:1])
    assert np.allclose(one[:, :-1], scores[:1, :-1], atol=1e-5)


@every_ranker
def test_the_same_seed_gives_the_same_ranker(make) -> None:
    train, test = examples(0), examples(2)
    first, second = (
        make(seed=3).fit(train, length=2).score(test.features, test.item_ids) for _ in range(2)
    )
    assert np.array_equal(first, second)


@every_network
def test_another_seed_gives_another_network(ranker) -> None:
    train, test = examples(0), examples(2)
    first, second = (
        neural(ranker, seed=seed).fit(train, length=1).score(test.features, test.item_ids)
        for seed in (0, 1)
    )
    assert not np.allclose(first[:, :-1], second[:, :-1])


@every_ranker
def test_unknown_features_and_empty_batches_are_scored(make) -> None:
    train = examples(0)
    train.features[::3, :, 1] = np.nan
    ranker = make().fit(train, length=3)
    blank = np.full((2, WIDTH, 2), np.nan, dtype=np.float32)
    assert np.isfinite(ranker.score(blank, np.tile(np.arange(WIDTH), (2, 1)))).all()
    nobody = ranker.score(np.zeros((0, WIDTH, 2), np.float32), np.zeros((0, WIDTH), int))
    assert nobody.shape == (0, WIDTH)
    nothing = ranker.score(np.zeros((3, 0, 2), np.float32), np.zeros((3, 0), int))
    assert nothing.shape == (3, 0)


def trained(network: RankingNetwork, degree: int) -> float:
    """Give the correlation of the logit with a planted product of `degree` features, held out."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3000, 3, generator=generator)
    target = features[:, :degree].prod(dim=1)
    item_ids = torch.zeros(3000, dtype=torch.long)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        loss = (network(features[:2000], item_ids[:2000]) - target[:2000]).square().mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        predicted = network(features[2000:], item_ids[2000:])
    return float(torch.corrcoef(torch.stack([predicted, target[2000:]]))[0, 1])


def shallow(network: RankingNetwork) -> RankingNetwork:
    """Silence the deep part, so that only the explicit interactions are left."""
    for parameter in network.deep.parameters():  # type: ignore[union-attr]
        parameter.data.zero_()
        parameter.requires_grad_(False)
    return network


def test_a_product_needs_crosses_or_pairs_and_a_triple_needs_the_cin() -> None:
    torch.manual_seed(0)
    linear = shallow(WideDeepNetwork(3, **SIZES, buckets=8, crosses=[]))
    assert abs(trained(linear, 2)) < 0.2
    wide = WideDeepNetwork(3, **SIZES, buckets=8, crosses=None)
    wide.adapt(torch.randn(3000, 3).numpy())
    assert trained(shallow(wide), 2) > 0.8
    assert trained(shallow(DeepFMNetwork(3, **SIZES)), 2) > 0.95
    assert abs(trained(shallow(DeepFMNetwork(3, **SIZES)), 3)) < 0.3
    assert trained(shallow(XDeepFMNetwork(3, **SIZES, maps=[6, 6], rank=2)), 3) > 0.95


def test_the_cin_is_its_formula() -> None:
    torch.manual_seed(0)
    fields, rank, maps = 3, 2, [4, 2]
    cin = CIN(fields, maps, rank)
    vectors = torch.randn(5, 6, fields)  # (R, D, F)
    layer, sums = vectors, []
    for lower, upper, count in zip(cin.lower, cin.fields, maps, strict=True):
        u, v = lower.unflatten(1, (rank, count)), upper.unflatten(1, (rank, count))
        weights = torch.einsum("ilh,jlh->hij", u, v)
        layer = torch.einsum("hij,rdi,rdj->rdh", weights, layer, vectors)
        sums.append(layer.sum(1))
    assert torch.allclose(cin(vectors), torch.cat(sums, 1), atol=1e-4)


def test_the_pairwise_term_is_the_sum_over_pairs() -> None:
    torch.manual_seed(0)
    network = shallow(DeepFMNetwork(3, **SIZES))
    network.linear.weight.data.zero_()
    features, item_ids = torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([2])
    vectors = [*(features[0][:, None] * network.vectors), network.items.weight[2]]
    pairs = sum(vectors[f] @ vectors[g] for f in range(4) for g in range(f + 1, 4))
    assert torch.allclose(network(features, item_ids)[0], pairs + network.linear.bias[0])


def test_crosses_have_a_bucket_for_what_is_unknown() -> None:
    network = WideDeepNetwork(2, **SIZES, buckets=2, crosses=[(0, 1)])
    network.adapt(np.array([[0.0, 10.0], [1.0, np.nan], [2.0, 30.0]], dtype=np.float32))
    assert network.edges.tolist() == [[1.0], [20.0]]
    rows = torch.tensor([[0.0, 0.0], [1.0, 20.0], [float("nan"), 50.0]])
    assert network.cells(rows).tolist() == [
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 1, 0],
    ]
    assert network.allowed.sum() == 9 and network.allowed[:3, 3:].all()
    weights = torch.arange(36.0).reshape(6, 6)
    before = network(rows, torch.zeros(3, dtype=torch.long))
    network.cross_weight.data = weights
    gained = network(rows, torch.zeros(3, dtype=torch.long)) - before
    assert gained.tolist() == pytest.approx([3.0, 10.0, 16.0])  # cells (0, 3), (1, 4), (2, 4)


@every_network
def test_watch_odds_are_the_minutes_expected(ranker) -> None:
    minutes, share = (10.0, 60.0), 0.05
    train = valued(0, minutes, share, count=600)
    fitted = neural(ranker, objective="watch", epochs=8, weight_decay=0.0).fit(train)
    rows = train.flat()
    expected = np.exp(fitted.score(rows.features, rows.item_ids[:, None]).ravel())
    for kind in (0, 1):
        mine = rows.features[:, 0] == kind
        watched = np.nansum(rows.values[mine]) / (rows.labels[mine] == 0).sum()
        assert watched == pytest.approx(share * minutes[kind], rel=0.25)  # the planted truth
        assert expected[mine].mean() == pytest.approx(watched, rel=0.15)


@every_network
def test_rating_scores_are_probability_times_rating(ranker) -> None:
    train = valued(0, (2.0, 5.0), 0.3, count=400)
    fitted = neural(ranker, objective="rating", epochs=8, weight_decay=0.0).fit(train)
    rows = train.flat()
    collected = np.exp(fitted.score(rows.features, rows.item_ids[:, None]).ravel())
    for kind, rating in enumerate((2.0, 5.0)):
        mine = rows.features[:, 0] == kind
        assert collected[mine].mean() == pytest.approx(0.3 * rating, rel=0.1)


@pytest.mark.parametrize("objective", ["watch", "rating"])
@every_ranker
def test_objectives_put_what_is_worth_more_first(make, objective, tmp_path: Path) -> None:
    train, valid, test = (valued(seed, (1.0, 5.0)) for seed in range(3))
    ranker = make(objective=objective).fit(train, valid)
    scores = ranker.score(test.features, test.item_ids)
    top = np.take_along_axis(test.features[..., 0], np.argsort(-scores, axis=1)[:, :5], axis=1)
    assert top.mean() > 0.95
    ranker.save(tmp_path)
    again = make().load(tmp_path).score(test.features, test.item_ids)
    assert np.allclose(again, scores, atol=1e-5)


@every_ranker
def test_objectives_without_values_name_the_remedy(make) -> None:
    for objective in ("watch", "rating"):
        with pytest.raises(ValueError, match="--ranking.objective ctr"):
            make(objective=objective).fit(examples(0))
    with pytest.raises(ValueError, match="lowest is -1"):
        make(objective="rating").fit(valued(0, (-1.0, 5.0)))
    with pytest.raises(ValueError, match="'clicks' is not known"):
        make(objective="clicks").fit(examples(0))


@every_network
def test_a_batch_without_ratings_trains(ranker) -> None:
    train = valued(0, (2.0, 5.0), share=0.02, count=20)
    fitted = neural(ranker, objective="rating", batch_size=8, epochs=1).fit(train)
    assert np.isfinite(fitted.score(train.features, train.item_ids)).all()


def test_taken_items_of_unknown_value_count_the_mean() -> None:
    labels = np.array([[1, 1, 1, 0]], dtype=np.float32)
    values = np.array([[2, 4, np.nan, np.nan]], dtype=np.float32)
    rows = Examples(np.zeros((1, 4, 1), np.float32), np.arange(4)[None], labels, values).flat()
    worth = Worth.learn("rating", rows)
    assert worth.of(labels, values).tolist() == [[2, 4, 3, 0]]
    assert Worth.learn("ctr", rows).of(labels, values).tolist() == [[1, 1, 1, 0]]


def test_labels_are_the_retrieved_answers() -> None:
    answers = csr_matrix(np.array([[0, 1, 0, 1], [1, 0, 0, 0]]))
    item_ids = np.array([[3, 0, -1], [1, 0, 2]])
    assert labels_of(item_ids, answers).tolist() == [[1, 0, 0], [0, 1, 0]]


def test_values_are_looked_up_and_a_stored_zero_is_known() -> None:
    worth = csr_matrix(([0.0, 4.0, 3.5], ([0, 0, 1], [3, 1, 0])), shape=(2, 4))
    found = values_of(np.array([[3, 0, -1], [1, 0, 2]]), worth)
    assert np.array_equal(found, [[0, np.nan, np.nan], [np.nan, 3.5, np.nan]], equal_nan=True)
    assert np.isnan(values_of(np.array([[0, 1]]), csr_matrix((1, 4)))).all()


def test_flat_and_part_carry_values_along() -> None:
    whole = examples(0, count=3)
    whole.values[1, 4] = 7.0
    part = whole.part(np.array([1]))
    assert part.values[0, 4] == 7.0 and len(part.flat().values) == WIDTH - 1
    assert np.nanmax(whole.flat().values) == 7.0


@every_network
def test_a_share_of_the_negatives_leaves_the_odds_true(ranker) -> None:
    train, test = valued(0, (1.0, 1.0), share=0.1), valued(1, (1.0, 1.0), share=0.1)
    thin = train.thinned(0.2, seed=0)
    assert thin.labels.sum() == train.labels.sum()
    assert (thin.item_ids[train.labels > 0] == train.item_ids[train.labels > 0]).all()
    assert 0.15 < (thin.item_ids >= 0)[train.labels == 0].mean() < 0.25
    fitted = neural(ranker, negative_share=0.2).fit(train, length=12)
    odds = 1 / (1 + np.exp(-fitted.score(test.features, test.item_ids)))
    assert abs(odds.mean() - test.labels.mean()) < 0.03  # uncorrected they would be about 0.36
