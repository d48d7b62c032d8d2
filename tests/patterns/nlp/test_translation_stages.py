"""The model of translation: batches, the Transformer, its loss, the search, on planted pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from planted_translation import ODD, learned, small_translator, world
from torch.nn import functional

from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.stages.batches import PairLoader
from patterns.nlp.translation.stages.bleu import bleu
from patterns.nlp.translation.stages.lexicon import Lexicon
from patterns.nlp.translation.stages.loss import smoothed_loss
from patterns.nlp.translation.stages.search import beam_search, greedy_pieces
from patterns.nlp.translation.stages.subwords import END, PAD, START
from patterns.nlp.translation.stages.transformer import Transformer, positions
from patterns.nlp.translation.stages.translator import Translator, next_piece_loss, pieces_to_come


@pytest.fixture(scope="module")
def pairs() -> tuple[Pairs, Pairs]:
    return world()


@pytest.fixture(scope="module")
def translator() -> Translator:
    return learned()


@pytest.fixture(scope="module")
def model() -> Transformer:
    torch.manual_seed(3)
    module = Transformer(
        vocabulary=40, width=16, heads=2, encoder_layers=2, decoder_layers=2, hidden=32
    ).eval()
    with torch.no_grad():  # so that pieces differ in likelihood
        module.embedding.weight.mul_(3)
    return module


def test_batches_hold_every_pair_once_within_their_tokens() -> None:
    rng = np.random.default_rng(0)
    sources = [[3] * int(n) for n in rng.integers(1, 20, 200)]
    targets = [[4] * max(1, len(each) + int(rng.integers(-2, 3))) for each in sources]
    loader = PairLoader(sources, targets, tokens=200, seed=1)
    seen = []
    for source, target in loader:
        assert len(source) == len(target)
        assert source.numel() + target.numel() <= 240  # sides are padded apart
        assert (target[:, 0] == START).all()
        assert ((source == END).sum(dim=1) == 1).all() and ((target == END).sum(dim=1) == 1).all()
        lengths = ((source == 3).sum(dim=1), (target == 4).sum(dim=1))
        seen += list(zip(*(each.tolist() for each in lengths), strict=True))
    assert sorted(seen) == sorted(zip(map(len, sources), map(len, targets), strict=True))
    assert 0 <= loader.padding() < 0.2
    first = [batch[0].shape for batch in loader]
    loader.set_epoch(1)
    assert [batch[0].shape for batch in loader] != first
    rest = list(loader.batches(3))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(rest, list(loader)[3:], strict=True))


def test_positions_have_the_formula() -> None:
    found = positions(5, 2, 8)
    for row, place in enumerate((5, 6)):
        for pair in range(4):
            angle = place / 10_000 ** (2 * pair / 8)
            assert found[row, 2 * pair] == pytest.approx(np.sin(angle), abs=1e-6)
            assert found[row, 2 * pair + 1] == pytest.approx(np.cos(angle), abs=1e-6)


def test_padding_and_the_future_have_no_say(model: Transformer) -> None:
    source, target = torch.tensor([[5, 6, 7, END]]), torch.tensor([[START, 8, 9, 10]])
    wide = torch.tensor([[5, 6, 7, END, PAD, PAD], [5, 6, 7, 8, 9, END]])
    alone = model.decode(target, *model.encode(source))
    padded = model.decode(target.expand(2, -1), *model.encode(wide))
    assert torch.allclose(alone[0], padded[0], atol=1e-5)
    assert not torch.allclose(alone[0], padded[1], atol=1e-2)
    other = model.decode(torch.tensor([[START, 8, 9, 20]]), *model.encode(source))
    assert torch.allclose(alone[:, :3], other[:, :3], atol=1e-6)
    assert not torch.allclose(alone[:, 3], other[:, 3], atol=1e-2)


def test_the_loss_counts_pieces_and_no_padding(model: Transformer) -> None:
    source = torch.tensor([[5, 6, END], [7, END, PAD]])
    target = torch.tensor([[START, 8, 9, END], [START, 10, END, PAD]])
    assert pieces_to_come(target).tolist() == [8, 9, END, 10, END]
    with torch.no_grad():
        whole = float(next_piece_loss(model, (source, target)))
        parts = [
            float(next_piece_loss(model, (source[:1], target[:1]))),
            float(next_piece_loss(model, (source[1:, :2], target[1:, :3]))),
        ]
    assert whole == pytest.approx((3 * parts[0] + 2 * parts[1]) / 5, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_and_its_gradients_are_those_of_torch(smoothing: float) -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(600, 8), torch.randn(30, 8)
    gold = torch.randint(0, 30, (600,))
    found = []
    for ours in (True, False):
        h, w = hidden.clone().requires_grad_(), weight.clone().requires_grad_()
        if ours:
            loss = smoothed_loss(h, w, gold, smoothing)
        else:
            loss = functional.cross_entropy(h @ w.T, gold, label_smoothing=smoothing)
        (3 * loss).backward()
        found.append((loss, h.grad, w.grad))
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)
    with torch.no_grad():
        assert float(smoothed_loss(hidden, weight, gold, smoothing)) == float(found[0][0])


def probability(model: Transformer, source: list[int], ids: tuple[int, ...]) -> float:
    """Return the log-probability of a translation that ends, PAD and START being impossible."""
    target = torch.tensor([[START, *ids, END]])
    with torch.inference_mode():
        y = model.decode(target[:, :-1], *model.encode(torch.tensor([source])))
        logits = model.logits(y)[0]
        logits[:, [PAD, START]] = float("-inf")
        return float(logits.log_softmax(-1).gather(1, target[0, 1:, None]).sum())


SOURCES = [[5, 6, 7, END], [9, END], [30, 31, 32, 33, 34, 35, END], [END]]


@pytest.mark.parametrize("beam", [1, 2, 4])
def test_the_search_with_a_cache_finds_what_it_finds_without(model: Transformer, beam: int) -> None:
    ours = beam_search(model, SOURCES, beam=beam)
    theirs = beam_search(model, SOURCES, beam=beam, cached=False)
    for mine, other in zip(ours, theirs, strict=True):
        assert [each.ids for each in mine] == [each.ids for each in other]
        assert np.allclose([each.score for each in mine], [each.score for each in other], atol=1e-4)
        assert len(mine) == beam == len({each.ids for each in mine})  # none twice
        assert [each.score for each in mine] == sorted((e.score for e in mine), reverse=True)


def test_a_score_is_the_log_probability_by_length(model: Transformer) -> None:
    for penalty in (0.0, 0.6, 1.0):
        for source, found in zip(
            SOURCES, beam_search(model, SOURCES, beam=3, length_penalty=penalty), strict=True
        ):
            for each in found:
                if each.finished:
                    total = probability(model, source, each.ids)
                    divisor = (len(each.ids) + 1) ** penalty
                    assert each.score == pytest.approx(total / divisor, abs=1e-4)


def test_a_beam_of_one_is_greedy_and_neighbours_change_nothing(model: Transformer) -> None:
    together_ = beam_search(model, SOURCES, beam=1)
    for source, (found,) in zip(SOURCES, together_, strict=True):
        assert tuple(greedy_pieces(model, source)) == found.ids
    alone = [beam_search(model, [source], beam=3)[0] for source in SOURCES]
    for mine, others in zip(alone, beam_search(model, SOURCES, beam=3), strict=True):
        assert [each.ids for each in mine] == [each.ids for each in others]
    assert beam_search(model, []) == []


def test_a_wide_beam_finds_the_likeliest_of_all(model: Transformer) -> None:
    """With no division by length, short ones win: all of one piece at most are counted out."""
    (found,) = beam_search(model, [[9, END]], beam=12, length_penalty=0.0)
    pieces = [(), *((piece,) for piece in range(3, 40))]
    best = max(probability(model, [9, END], ids) for ids in pieces)
    assert found[0].score >= best - 1e-4


def test_it_learns_the_made_up_language(translator: Translator, pairs: tuple[Pairs, Pairs]) -> None:
    sources, targets = pairs[1].sources[:100], pairs[1].targets[:100]
    said = [found[0].text for found in translator.translate(sources, beam=2)]
    base = Lexicon().fit(pairs[0]).translate(sources)
    assert bleu(said, targets) > bleu(base, targets) + 15
    right = translator.likelihood(Pairs(sources[:10], targets[:10]))
    wrong = translator.likelihood(Pairs(sources[:10], targets[10:20]))
    assert (right > wrong).all()


def test_a_translator_comes_back_equal_and_answers_odd_texts(
    translator: Translator, pairs: tuple[Pairs, Pairs], tmp_path: Path
) -> None:
    translator.save(tmp_path)
    texts = [*pairs[1].sources[:10], *ODD]
    found = translator.translate(texts, beam=3)
    assert Translator.load(tmp_path).translate(texts, beam=3) == found
    assert found[10][0].text == "" and all(several for several in found)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".json", ".safetensors"}


def test_a_stream_is_the_greedy_translation(
    translator: Translator, pairs: tuple[Pairs, Pairs]
) -> None:
    for text in [*pairs[1].sources[:5], "日本 🎬"]:
        pieces = list(translator.stream(text))
        assert "".join(pieces).strip() == translator.translate([text], beam=1)[0][0].text
    assert list(translator.stream("\u200b")) == []


def test_a_long_source_is_cut_and_told(translator: Translator) -> None:
    assert translator.subwords_ is not None
    first, most = len(translator.subwords_.encode(["The"])[0]), translator.max_length - 1
    for count, cut in ((most - first, False), (most - first + 1, True)):
        text = "The" + " the" * count
        (ids,), (told,) = translator.read([text])
        assert len(ids) == translator.max_length and ids[-1] == END and told == cut
        assert translator.translate([text], beam=1)[0][0].cut == cut


def test_attention_has_a_row_for_each_piece_written(translator: Translator) -> None:
    source, target, weights = translator.looks("The girl saw a dog.")
    assert weights.shape == (len(target), len(source)) and target[-1] == source[-1] == "end"
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_pairs_that_are_too_long_are_left_out(pairs: tuple[Pairs, Pairs]) -> None:
    train = pairs[0].chosen(range(40))
    long = Pairs([*train.sources, "the " * 60], [*train.targets, "la " * 60])
    settings_ = {"epochs": 1, "width": 16, "hidden": 16, "max_length": 40}
    assert small_translator(long, pairs[1], **settings_).left_out_ == 1
    with pytest.raises(ValueError, match="^max_length: all 1 pairs have more than 7 pieces"):
        small_translator(long.chosen([40]), pairs[1], **(settings_ | {"max_length": 8}))


def test_killed_and_resumed_it_has_the_identical_weights(
    pairs: tuple[Pairs, Pairs], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common.training import loop, state

    train, valid = pairs[0].chosen(range(50)), pairs[1].chosen(range(10))
    settings_ = {"epochs": 2, "width": 16, "hidden": 16, "batch_tokens": 400}
    whole = small_translator(train, valid, **settings_)
    step, monkeypatch_every = loop._step, state.Saver.save_if_due
    taken = 0

    def stops(*arguments: object) -> None:
        nonlocal taken
        taken += 1
        if taken == 6:
            raise KeyboardInterrupt
        step(*arguments)  # type: ignore[arg-type]

    def always(self: state.Saver, run: state.State) -> None:
        self.every_s = 0.0
        monkeypatch_every(self, run)

    monkeypatch.setattr(state.Saver, "save_if_due", always)
    monkeypatch.setattr(loop, "_step", stops)
    with pytest.raises(KeyboardInterrupt):
        small_translator(train, valid, checkpoint=tmp_path, **settings_)
    monkeypatch.setattr(loop, "_step", step)
    resumed = small_translator(train, valid, checkpoint=tmp_path, resume=True, **settings_)
    assert resumed.history_ is not None and resumed.history_.resumed_from == 5
    assert whole.module_ is not None and resumed.module_ is not None
    for name, value in whole.module_.state_dict().items():
        assert torch.equal(value, resumed.module_.state_dict()[name]), name
