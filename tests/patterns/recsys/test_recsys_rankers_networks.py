"""What each network can see, by planted products; their formulas by hand; what logits mean."""

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from patterns.recsys.stages.ranking.deepfm import DeepFM, DeepFMNetwork
from patterns.recsys.stages.ranking.examples import Examples
from patterns.recsys.stages.ranking.networks import FieldEmbedding, RankingNetwork, known_codes
from patterns.recsys.stages.ranking.wide_deep import HashedCrosses, WideDeep, WideDeepNetwork
from patterns.recsys.stages.ranking.xdeepfm import CIN, XDeepFM, XDeepFMNetwork

WIDTH = 20
SIZES: dict[str, Any] = {"categories": (4,), "dimension": 4, "hidden": 8, "dropout": 0.0}
NEURAL: list[Any] = [WideDeep, DeepFM, XDeepFM]
every_network = pytest.mark.parametrize("ranker", NEURAL, ids=[each.name for each in NEURAL])


def neural(ranker: Any, **settings: Any) -> Any:
    fast: dict[str, Any] = {"epochs": 12, "learning_rate": 0.02, "batch_size": 256}
    return ranker(**{"categories": (WIDTH,), "device": "cpu"} | fast | settings)


def valued(
    seed: int, values: tuple[float, float], share: float = 0.3, count: int = 200
) -> Examples:
    """Give candidates of two kinds, told by the first feature, clicked alike, worth `values`."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(2, size=(count, WIDTH))
    features = np.stack([kind, rng.normal(size=kind.shape)], axis=2).astype(np.float32)
    labels = (rng.random(kind.shape) < share).astype(np.float32)
    worth = np.where(labels > 0, np.array(values)[kind], np.nan).astype(np.float32)
    return Examples.of_items(features, rng.integers(WIDTH, size=kind.shape), labels, worth)


def trained(network: RankingNetwork, degree: int) -> float:
    """Give the correlation of the logit with a planted product of `degree` features, held out."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(3000, 3, generator=generator)
    target = features[:, :degree].prod(dim=1)
    codes = torch.zeros(3000, 1, dtype=torch.long)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        loss = (network(features[:2000], codes[:2000]) - target[:2000]).square().mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        predicted = network(features[2000:], codes[2000:])
    return float(torch.corrcoef(torch.stack([predicted, target[2000:]]))[0, 1])


def shallow(network: Any) -> Any:
    """Silence the deep part, so that only the explicit interactions are left."""
    for parameter in network.deep.parameters():
        parameter.data.zero_()
        parameter.requires_grad_(False)
    return network


def test_a_product_needs_crosses_or_pairs_and_a_triple_needs_the_cin() -> None:
    torch.manual_seed(0)
    linear = shallow(WideDeepNetwork(3, **SIZES, buckets=8, crosses=[]))
    assert abs(trained(linear, 2)) < 0.2
    wide = WideDeepNetwork(3, **SIZES, buckets=8, crosses=[(0, 1)])
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


def test_the_pairwise_term_is_the_sum_over_pairs_of_both_kinds() -> None:
    torch.manual_seed(0)
    network = shallow(DeepFMNetwork(3, **SIZES | {"categories": (4, 2)}))
    network.linear.weight.data.zero_()
    features, codes = torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([[2, 1]])
    table = network.fields.table.weight  # four values and the unknown, then two and theirs
    vectors = [*(features[0][:, None] * network.vectors), table[2], table[5 + 1]]
    pairs = sum(vectors[f] @ vectors[g] for f in range(5) for g in range(f + 1, 5))
    assert torch.allclose(network(features, codes)[0], pairs + network.linear.bias[0])


def test_fields_lie_below_one_another_each_with_its_unknown() -> None:
    embedding = FieldEmbedding((3, 2), 1, std=1.0)
    embedding.table.weight.data = torch.arange(7.0)[:, None]
    codes = known_codes(np.array([[0, 0], [2, 1], [-1, 2], [3, -9]]), (3, 2))
    found = embedding(torch.from_numpy(codes)).squeeze(2)
    assert found.tolist() == [[0, 4], [2, 5], [3, 6], [3, 6]]


def test_crosses_have_a_bucket_for_what_is_unknown() -> None:
    network = WideDeepNetwork(3, **SIZES, buckets=2, crosses=[(0, 2)])
    nan = float("nan")
    network.adapt(np.array([[0.0, 7, 10.0], [1.0, 7, nan], [2.0, 7, 30.0]], dtype=np.float32))
    assert network.columns.tolist() == [0, 2]  # the one in between is in no cross
    assert network.edges.tolist() == [[1.0], [20.0]]
    rows = torch.tensor([[0.0, 0.0, 0.0], [1.0, 9.0, 20.0], [nan, nan, 50.0]])
    assert network.cells(rows).tolist() == [
        [1, 0, 0, 0, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 0, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 0, 0, 1, 0],
    ]
    assert network.first.tolist() == [0, 1, 2]
    assert network.allowed.sum() == 9 and network.allowed[:, 6:].all()
    before = network(rows, torch.zeros(3, 1, dtype=torch.long))
    network.cross_weight.data = torch.arange(27.0).reshape(3, 9)
    gained = network(rows, torch.zeros(3, 1, dtype=torch.long)) - before
    assert gained.tolist() == pytest.approx([6.0, 16.0, 25.0])  # cells (0, 6), (1, 7), (2, 7)


class ShallowWide(WideDeepNetwork):
    """The wide part alone."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        shallow(self)


class Wide(WideDeep):
    """The stage of the wide part alone."""

    network = ShallowWide


def test_hashed_crosses_learn_a_pair_of_fields_that_a_linear_part_cannot() -> None:
    odds = np.random.default_rng(0).permuted(np.tile([0.05, 0.95], (30, 15)), axis=1)
    odds = np.where(np.arange(30)[:, None] % 2, odds, 1 - odds)  # (30, 30), even both ways
    rng = np.random.default_rng(1)
    codes = rng.integers(30, size=(20_000, 3))
    labels = rng.random(20_000) < odds[codes[:, 0], codes[:, 2]]
    table = Examples.of_table(np.zeros((20_000, 0)), codes, labels)
    train, test = table.part(np.arange(15_000)), table.part(np.arange(15_000, 20_000))
    options: dict[str, Any] = {"categories": (30, 30, 30), "negative_share": 1.0, "epochs": 8}

    def auc(field_crosses: list[tuple[int, int]]) -> float:
        ranker = neural(Wide, field_crosses=field_crosses, **options).fit(train)
        return float(roc_auc_score(test.labels, ranker.score(test.features, test.codes)))

    assert auc([(0, 2)]) > 0.9 > 0.65 > max(auc([]), auc([(0, 1)]))


def test_hashed_crosses_are_one_weight_a_pair_of_codes_in_a_part_of_each_pair() -> None:
    crosses = HashedCrosses([(0, 1), (1, 0)], size=2**16)
    grid = torch.cartesian_prod(torch.arange(100), torch.arange(100))
    weights = crosses.weight.weight.data = torch.arange(2.0**17)[:, None]
    both = crosses(grid)
    weights[2**16 :] = 0.0
    first = crosses(grid)
    assert len(first.unique()) > 9_000  # of 10,000 pairs; drawn at random, 9,274 would be expected
    assert first.max() < 2**16 <= (both - first).min()
    assert torch.equal(both - first - 2**16, crosses(grid.flip(1)))


@every_network
def test_watch_odds_are_the_minutes_expected(ranker: Any) -> None:
    minutes, share = (10.0, 60.0), 0.05
    train = valued(0, minutes, share, count=600)
    fitted = neural(ranker, objective="watch", epochs=8, weight_decay=0.0).fit(train)
    rows = train.flat()
    expected = np.exp(fitted.score(train.features, train.codes)[train.real])
    for kind in (0, 1):
        mine = rows.features[:, 0] == kind
        watched = np.nansum(rows.values[mine]) / (rows.labels[mine] == 0).sum()
        assert watched == pytest.approx(share * minutes[kind], rel=0.25)  # the planted truth
        assert expected[mine].mean() == pytest.approx(watched, rel=0.15)


@every_network
def test_rating_scores_are_probability_times_rating(ranker: Any) -> None:
    train = valued(0, (2.0, 5.0), 0.3, count=400)
    fitted = neural(ranker, objective="rating", epochs=8, weight_decay=0.0).fit(train)
    collected = np.exp(fitted.score(train.features, train.codes))
    for kind, rating in enumerate((2.0, 5.0)):
        mine = train.features[..., 0] == kind
        assert collected[mine].mean() == pytest.approx(0.3 * rating, rel=0.1)


@every_network
def test_a_batch_without_ratings_trains(ranker: Any) -> None:
    train = valued(0, (2.0, 5.0), share=0.02, count=20)
    fitted = neural(ranker, objective="rating", batch_size=8, epochs=1).fit(train)
    assert np.isfinite(fitted.score(train.features, train.codes, train.real)).all()


@every_network
def test_a_share_of_the_negatives_leaves_the_odds_calibrated(ranker: Any) -> None:
    train, test = valued(0, (1.0, 1.0), share=0.1), valued(1, (1.0, 1.0), share=0.1)
    thin = train.thinned(0.2, seed=0)
    assert thin.labels.sum() == train.labels.sum() and thin.real[train.labels > 0].all()
    assert 0.15 < thin.real[train.labels == 0].mean() < 0.25
    fitted = neural(ranker, negative_share=0.2).fit(train, length=12)
    odds = 1 / (1 + np.exp(-fitted.score(test.features, test.codes, test.real)))
    assert abs(odds.mean() - test.labels.mean()) < 0.03  # uncorrected they would be about 0.36
