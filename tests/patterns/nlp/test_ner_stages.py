"""The stages of named-entity recognition, on planted messages and a tiny random transformer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from planted import tiny_transformer

from common.encoders import Tokens
from common.evaluation.spans import counts_of_tags, is_valid
from data.simulated.entities import generate
from patterns.nlp.ner.entities.sentences import Sentences
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.pipeline import Pipeline
from patterns.nlp.ner.stages.encoder import EncoderTagger, _tags_of, _without_words
from patterns.nlp.ner.stages.export import OnnxTagger, export, parity
from patterns.nlp.ner.stages.gazetteer import Gazetteer
from patterns.nlp.ner.stages.linear import LinearTagger
from patterns.nlp.ner.stages.network import of_words
from patterns.nlp.ner.stages.pieces import Pieces, kept, stitched, windows, word_means

Parts = tuple[Sentences, Sentences]
ODD = [(), ("日本語", "🎬"), ("word",) * 200, ("\ufe0f", "a"), ("\ud800", "\x07"), ("x" * 300,)]


def sentences(frame) -> Sentences:
    return Sentences([*map(tuple, frame["tokens"])], [*map(tuple, frame["tags"])])


@pytest.fixture(scope="module")
def parts() -> Parts:
    world = generate(sentences=500, small=0.0)
    return sentences(world.train), sentences(world.test)


@pytest.fixture(scope="module")
def tags() -> TagSet:
    return TagSet(("company", "person", "place", "product"))


@pytest.fixture(scope="module")
def tiny(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> str:
    texts = [" ".join(words) for words in parts[0].words]
    return tiny_transformer(tmp_path_factory.mktemp("tiny"), texts)


def small_encoder(tiny: str, tags: TagSet, **options: object) -> EncoderTagger:
    settings: dict = {
        "tags": tags, "model": tiny, "epochs": 8, "learning_rate": 4e-3, "head_factor": 1.0,
        "batch_size": 16, "precision": "fp32", "device": "cpu", "max_length": 64, "overlap": 16,
        **options,
    }  # fmt: skip
    return EncoderTagger(**settings)


@pytest.fixture(scope="module")
def encoder(tiny: str, tags: TagSet, parts: Parts) -> EncoderTagger:
    return small_encoder(tiny, tags).fit(*parts)


@pytest.fixture(scope="module")
def exported(encoder: EncoderTagger) -> OnnxTagger:
    return export(encoder)


def f1(stage: Gazetteer | LinearTagger | EncoderTagger, part: Sentences) -> float:
    said = stage.decoder_.decode(stage.predict(part.words))
    assert all(map(is_valid, said))
    return counts_of_tags(part.tags, said).f1


def equal(left: list[np.ndarray], right: list[np.ndarray], tolerance: float = 0.0) -> bool:
    return all(np.allclose(a, b, atol=tolerance, rtol=0) for a, b in zip(left, right, strict=True))


@pytest.mark.parametrize("overlap", [0, 4, 9])
def test_windows_cover_every_word_once_and_fit(overlap: int) -> None:
    rng = np.random.default_rng(overlap)
    for _ in range(200):
        lengths = rng.integers(1, 6, size=rng.integers(0, 60)).tolist()
        runs = windows(lengths, room=20, overlap=overlap)
        assert all(sum(lengths[a:b]) <= 20 for a, b in runs)
        own = kept(runs)
        assert [n for a, b in own for n in range(a, b)] == list(range(len(lengths)))
        assert all(a <= c and d <= b for (a, b), (c, d) in zip(runs, own, strict=True))
        shared = [sum(lengths[b[0] : a[1]]) for a, b in zip(runs, runs[1:], strict=False)]
        assert all(each <= overlap for each in shared)
    assert windows([30, 1], room=20, overlap=4) == [(0, 1), (1, 2)]


def test_each_piece_knows_its_word(tiny: str) -> None:
    from common.encoders import load_transformer

    tokenizer, _ = load_transformer(tiny)
    pieces = Pieces(Tokens.of_transformer(tokenizer, max_length=16), overlap=4)
    words = ["we", "met", "\ufe0f", "x-y-z", "\ud800"]
    (window,) = pieces([words, []])
    own = tokenizer(words[:2], is_split_into_words=True)["input_ids"]
    assert window.ids[:3] == own[:3] and window.ids[-1] == own[-1]
    assert window.words[0] == window.words[-1] == -1 and window.count == len(words)
    assert sorted({*window.words} - {-1}) == list(range(len(words)))  # none is without a piece
    assert window.ids[window.words.index(2)] == pieces.unknown
    further = [
        n for n in range(1, len(window.words)) if window.words[n] == window.words[n - 1] >= 0
    ]
    assert further and all(window.codes[n] > window.codes[n - 1] for n in further[:1])
    assert all(len(each.ids) <= 16 for each in pieces([["word"] * 100, ["x-" * 200]]))


def test_word_scores_are_the_means_of_their_pieces() -> None:
    rng = np.random.default_rng(0)
    words = [-1, 0, 0, 1, 2, 2, 2, -1]
    scores = rng.normal(size=(8, 3)).astype(np.float32)
    expected = np.stack([scores[[n for n, w in enumerate(words) if w == k]].mean(0)
                         for k in range(3)])  # fmt: skip
    assert np.allclose(word_means(scores, words), expected)
    found = of_words(torch.from_numpy(scores[None]), torch.tensor([words]), 4)[0].numpy()
    assert np.allclose(found[:3], expected) and not found[3].any()


def test_a_long_sentence_gets_a_score_for_every_word_from_its_own_window(tiny: str) -> None:
    from common.encoders import load_transformer

    tokenizer, _ = load_transformer(tiny)
    pieces = Pieces(Tokens.of_transformer(tokenizer, max_length=16), overlap=6)
    words = ["we"] * 50
    made = pieces([words])
    assert len(made) > 3
    scores = [np.full((window.count, 2), number) for number, window in enumerate(made)]
    whole = stitched(made, scores, [words], 2)[0][:, 0]
    assert (np.diff(whole) >= 0).all() and set(whole) == set(range(len(made)))
    alone = pieces([words[:10]])[0]
    assert alone.keep == (0, 10)


def test_a_window_that_begins_inside_an_entity_begins_it_anew(tiny: str, tags: TagSet) -> None:
    from common.encoders import load_transformer

    tokenizer, _ = load_transformer(tiny)
    pieces = Pieces(Tokens.of_transformer(tokenizer, max_length=16), overlap=0)
    numbers = tags.numbers(["B-person", *["I-person"] * 39])
    _, second, *_ = pieces([["we"] * 40])
    assert tags.words(_tags_of(second, numbers))[:2] == ["B-person", "I-person"]


def test_word_dropout_masks_whole_words_and_no_special_token() -> None:
    ids = torch.arange(10, 18)[None].repeat(200, 1)
    words = torch.tensor([[-1, 0, 0, 1, 2, 2, -1, -1]]).repeat(200, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = _without_words(ids, words, 3, 1, 0.3)
    assert (found[:, [0, 6, 7]] == ids[:, [0, 6, 7]]).all()
    assert ((found[:, 1] == 1) == (found[:, 2] == 1)).all()
    assert 0.2 < (found[:, 3] == 1).float().mean() < 0.4
    assert _without_words(ids, words, 3, 1, 0.0) is ids


def test_the_gazetteer_finds_what_it_has_seen_and_nothing_else(tags: TagSet) -> None:
    words = [("Ada", "Ray", "sings"), ("may", "i", "sing"), ("may",), ("call", "may")]
    names = [("B-person", "I-person", "O"), ("O",) * 3, ("O",), ("O", "B-person")]
    train = Sentences(words, names)
    stage = Gazetteer(tags=tags).fit(train, train)
    assert stage.types_ == {"ada ray": "person"}  # may is most often none
    said = stage.decoder_.decode(stage.predict([("x", "ADA", "ray"), ("Ada",), ()]))
    assert said == [["O", "B-person", "I-person"], ["O"], []]


def test_the_linear_model_learns_context_where_the_gazetteer_knows_nothing(
    parts: Parts, tags: TagSet, tmp_path: Path
) -> None:
    gazetteer, linear = Gazetteer(tags=tags).fit(*parts), LinearTagger(tags=tags).fit(*parts)
    assert f1(gazetteer, parts[1]) < 0.1 and f1(linear, parts[1]) > 0.8
    assert linear.strength_ in linear.strengths
    for name, stage in (("gazetteer", gazetteer), ("linear", linear)):
        (tmp_path / name).mkdir()
        stage.save(tmp_path / name)
        loaded = type(stage).load(tmp_path / name)
        assert equal(loaded.predict(ODD), stage.predict(ODD))
        assert loaded.predict([]) == []


def test_the_linear_model_takes_one_type_and_one_tag(tags: TagSet) -> None:
    train = Sentences([("Ada", "sings"), ("rain",)], [("B-person", "O"), ("O",)])
    stage = LinearTagger(tags=tags).fit(train, train)
    assert stage.decoder_.decode(stage.predict([("Ada",)])) == [["B-person"]]
    assert stage.predict([("Ada",)])[0].shape == (1, len(tags))


def test_how_long_an_encoder_trains_follows_from_its_sentences(tags: TagSet) -> None:
    def plan(count: int, length: int, **options: int) -> tuple[int, int]:
        stage = EncoderTagger(tags=tags, **options)
        rows = stage._plan(np.full(count, length))
        assert len(np.unique(rows)) == len(rows)
        return stage.epochs_, len(rows)

    assert plan(3000, 20) == (4, 3000)
    assert plan(320, 20) == (30, 320)  # 300 steps
    assert plan(3000, 100) == (3, 3000)
    assert plan(18_000, 100) == (1, 9000)
    assert plan(18_000, 100, epochs=2) == (2, 18_000)


def test_the_encoder_learns_from_context_and_shape(encoder: EncoderTagger, parts: Parts) -> None:
    assert f1(encoder, parts[1]) > 0.7  # no test name is known to it
    assert encoder.history_ is not None and len(encoder.history_.valid) == 8


def test_the_encoder_comes_back_equal_and_answers_odd_sentences(
    encoder: EncoderTagger, tmp_path: Path
) -> None:
    encoder.save(tmp_path)
    loaded = EncoderTagger.load(tmp_path)
    found = encoder.predict(ODD)
    assert [len(each) for each in found] == [len(words) for words in ODD]
    assert equal(loaded.predict(ODD), found) and loaded.predict([]) == []
    single = [encoder.predict([words])[0] for words in ODD]
    assert equal(found, single, 1e-4)


def test_same_seed_same_encoder(tiny: str, tags: TagSet, parts: Parts) -> None:
    few = Sentences(parts[0].words[:64], parts[0].tags[:64])
    fitted = [small_encoder(tiny, tags, epochs=2, seed=seed).fit(few, few) for seed in (0, 0, 1)]
    first, again, other = (each.predict(few.words) for each in fitted)
    assert equal(again, first) and not equal(other, first)


def test_a_crf_learns_its_transitions(
    tiny: str, tags: TagSet, parts: Parts, tmp_path: Path
) -> None:
    crf = small_encoder(tiny, tags, decoder="crf").fit(*parts)
    assert f1(crf, parts[1]) > 0.7
    learned = crf.decoder_.transitions.between[tags.allowed]
    assert np.abs(learned).max() > 0.05
    crf.save(tmp_path)
    loaded = EncoderTagger.load(tmp_path)
    assert np.array_equal(loaded.decoder_.transitions.between, crf.decoder_.transitions.between)


def test_the_export_answers_as_torch_does(
    exported: OnnxTagger, encoder: EncoderTagger, parts: Parts, tmp_path: Path
) -> None:
    found = parity(exported, encoder, [*parts[1].words, *ODD])
    assert found.holds and found.agreement == 1.0 and found.max_difference < 1e-4
    exported.save(tmp_path)
    loaded = OnnxTagger.load(tmp_path)
    assert equal(loaded.predict(ODD), exported.predict(ODD)) and loaded.predict([]) == []


def test_parity_notices_another_model(
    exported: OnnxTagger, tiny: str, tags: TagSet, parts: Parts
) -> None:
    other = small_encoder(tiny, tags, epochs=1, seed=1).fit(*parts)
    found = parity(exported, other, parts[1].words)
    assert not found.holds and found.max_difference > 1e-2 and "not served" in (found.notice or "")


def test_serving_an_export_imports_neither_torch_nor_transformers(
    exported: OnnxTagger, tags: TagSet, tmp_path: Path
) -> None:
    pipeline = Pipeline(types=tags.types)
    pipeline.served_ = exported
    pipeline.save(tmp_path)
    code = (
        "import sys, pathlib\n"
        "import patterns.nlp.ner.serve\n"
        "from patterns.nlp.ner.pipeline import Pipeline\n"
        "pipeline = Pipeline.load(pathlib.Path(sys.argv[1]))\n"
        "assert len(pipeline.find(['we met Vanor in Kelodal', ''])) == 2\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'data'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1500:]
    assert json.loads((tmp_path / "pipeline.json").read_text())["kind"] == "onnx"
