"""Decoding and the CRF against brute force: every sequence of tags, written out."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from common.evaluation.spans import is_valid, spans
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.decoding import (
    FORBIDDEN,
    Decoder,
    Transitions,
    backward_scores,
    forward_scores,
    path_score,
    viterbi,
)
from patterns.nlp.ner.stages.network import CRF

TAGS = TagSet(("loc", "per"))
C = len(TAGS)


def random_scores(seed: int, lengths: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, C)) * 2 for length in lengths]


def learned(seed: int = 0) -> Transitions:
    rng, rules = np.random.default_rng(seed), Transitions.of_rules(TAGS)
    parts = (rules.start, rules.between, rules.end)
    return Transitions(*(np.where(each < 0, each, rng.normal(size=each.shape)) for each in parts))


def every(scores: np.ndarray, transitions: Transitions) -> dict[tuple[int, ...], float]:
    """Score every sequence of tags."""
    return {
        path: path_score(scores, np.array(path), transitions)
        for path in product(range(C), repeat=len(scores))
    }


def test_tags_and_what_may_follow() -> None:
    assert TAGS.names == ("O", "B-loc", "I-loc", "B-per", "I-per")
    for first, second in product(TAGS.names, repeat=2):
        allowed = TAGS.allowed[TAGS.numbers([first])[0], TAGS.numbers([second])[0]]
        assert allowed == (is_valid([first, second]) or first.startswith("I-") and
                           is_valid(["B-" + first[2:], first, second]))  # fmt: skip
    assert TAGS.allowed_first.tolist() == [is_valid([name]) for name in TAGS.names]
    assert TAGS.words(TAGS.numbers(["B-per", "O"])) == ["B-per", "O"]
    assert len(TagSet(())) == 1


@pytest.mark.parametrize("transitions", [Transitions.of_rules(TAGS), learned()])
def test_viterbi_finds_the_best_of_all_sequences(transitions: Transitions) -> None:
    scores = random_scores(1, (1, 2, 4, 5, 3))
    decoder = Decoder(tags=TAGS, transitions=transitions)
    decoded = decoder.decode(scores)
    for each, said in zip(scores, decoded, strict=True):
        sequences = every(each, transitions)
        best = max(sequences, key=lambda path: sequences[path])
        assert said == TAGS.words(best) and is_valid(said)
    assert decoder.decode([]) == [] and decoder.decode([np.zeros((0, C))]) == [[]]
    assert [decoder.decode([each])[0] for each in scores] == decoded


def test_a_batch_is_decoded_as_each_sentence_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from patterns.nlp.ner.stages import decoding

    scores = random_scores(2, tuple(np.random.default_rng(0).integers(1, 9, 40)))
    whole = Decoder(tags=TAGS).decode(scores)
    monkeypatch.setattr(decoding, "CELLS", 60)  # a few sentences a batch
    assert Decoder(tags=TAGS).decode(scores) == whole
    padded = np.full((2, 5, C), 99.0)
    padded[0, :2], padded[1] = scores[0][:2], 0.0
    alone = viterbi(padded[:1, :2], np.array([2]), Transitions.of_rules(TAGS))
    both = viterbi(padded, np.array([2, 5]), Transitions.of_rules(TAGS))
    assert both[0].tolist() == [*alone[0].tolist(), 0, 0, 0]


def test_the_best_tag_of_each_word_may_be_invalid_where_viterbi_is_not() -> None:
    scores = np.array([[0.0, 0, 0, 3, 0], [0, 0, 2.0, 0, 1.5]])  # B-per, then I-loc or I-per
    assert TAGS.words(scores.argmax(axis=1)) == ["B-per", "I-loc"]
    assert Decoder(tags=TAGS).decode([scores]) == [["B-per", "I-per"]]


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_sums_and_confidences_are_those_of_all_sequences(temperature: float) -> None:
    transitions = learned(3)
    decoder = Decoder(tags=TAGS, transitions=transitions)
    decoder.temperature_ = temperature
    for scores in random_scores(4, (1, 3, 5)):
        sequences = {
            path: score / temperature
            for path, score in every(scores, transitions).items()
            if score > FORBIDDEN / 2
        }
        whole = np.logaddexp.reduce(list(sequences.values()))
        scaled, lengths = transitions.scaled(1 / temperature), np.array([len(scores)])
        forward = forward_scores(scores[None] / temperature, lengths, scaled)[0]
        backward = backward_scores(scores[None] / temperature, lengths, scaled)[0]
        assert np.allclose(np.logaddexp.reduce(forward + backward, axis=1), whole)
        for span in [(0, 1, "per"), (0, len(scores), "loc"), (len(scores) - 1, len(scores), "per")]:
            holding = [v for path, v in sequences.items() if span in spans(TAGS.words(path))]
            expected = np.exp(np.logaddexp.reduce(holding) - whole)
            assert decoder.confidences(scores, [span]) == [pytest.approx(expected)]
        path = max(sequences, key=lambda each: sequences[each])
        (found,) = decoder.log_likelihood([scores], [TAGS.words(path)], temperature)
        assert found == pytest.approx(sequences[path] - whole)


def test_likelihoods_of_a_padded_batch_are_those_alone() -> None:
    scores = random_scores(5, (4, 1, 7, 2))
    decoder = Decoder(tags=TAGS, transitions=learned(6))
    tags = decoder.decode(scores)
    alone = [decoder.log_likelihood([s], [t])[0] for s, t in zip(scores, tags, strict=True)]
    assert np.allclose(decoder.log_likelihood(scores, tags), alone)


def test_the_crf_is_the_decoder_in_torch() -> None:
    crf = CRF(TAGS)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for parameter in crf.parameters():
            parameter.normal_()
    scores = random_scores(7, (3, 5, 1))
    decoder = Decoder(tags=TAGS, transitions=crf.transitions())
    tags = decoder.decode(scores)
    padded = torch.zeros(3, 5, C)
    numbers = torch.zeros(3, 5, dtype=torch.long)
    for row, (each, names) in enumerate(zip(scores, tags, strict=True)):
        padded[row, : len(each)] = torch.from_numpy(each).float()
        numbers[row, : len(each)] = torch.from_numpy(TAGS.numbers(names))
    found = crf.log_likelihood(padded, numbers, torch.tensor([3, 5, 1]))
    assert np.allclose(found.detach(), decoder.log_likelihood(scores, tags), atol=1e-4)
    assert (crf.transitions().between[~TAGS.allowed] == FORBIDDEN).all()


def test_fitting_takes_from_o_what_training_had_too_few_of_and_calibrates() -> None:
    rng = np.random.default_rng(8)
    names = [["O", "B-per"][n] for n in rng.integers(0, 2, 400)]
    scores = rng.normal(size=(400, C)) * 0.5
    scores[:, [2, 4]] = -9
    scores[np.arange(400), TAGS.numbers(names)] += 1.0
    scores[:, 0] += 1.5  # O is said too often
    decoder = Decoder(tags=TAGS).fit(list(scores[:, None]), [[name] for name in names])
    assert 1.0 <= decoder.penalty_ <= 2.0
    assert 0.2 < decoder.temperature_ < 0.6  # right more often than such small scores say
    fitted = decoder.log_likelihood(list(scores[:, None]), [[n] for n in names],
                                    decoder.temperature_).mean()  # fmt: skip
    for other in (0.5, 2.0):
        worse = decoder.temperature_ * other
        assert decoder.log_likelihood(list(scores[:, None]), [[n] for n in names],
                                      worse).mean() < fitted  # fmt: skip


def test_a_decoder_comes_back_equal(tmp_path: Path) -> None:
    decoder = Decoder(tags=TAGS, transitions=learned(9))
    decoder.penalty_, decoder.temperature_ = 0.5, 1.7
    decoder.save(tmp_path)
    loaded = Decoder.load(tmp_path)
    scores = random_scores(10, (6,))
    assert loaded.decode(scores) == decoder.decode(scores)
    found = spans(decoder.decode(scores)[0])
    assert loaded.confidences(scores[0], found) == decoder.confidences(scores[0], found)
    assert loaded.tags == TAGS
