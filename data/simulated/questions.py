"""A simulated gazetteer and questions about it: the offline stand-in for SQuAD.

An article is a town, a paragraph one topic of it (history, trade, customs, land), a sentence one
fact. A question asks for one fact, in words that are seldom those of the sentence; its answer is
known with its place.

Planted, so that tests know the right answer:

- each paragraph also tells a fact of the same kind about a neighbour, so that the words of the
  question alone do not decide: a reader must see which town a fact belongs to;
- neighbours' names stand in each other's paragraphs and people's names in several, so that
  retrieval must weigh the name and the fact together;
- some facts of a town stand nowhere: questions for them (a share of `unanswerable`) have no
  answer in their paragraph or any other;
- an answer stands once in its paragraph.

Articles of the test share neither towns nor paragraphs with those of training.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from data.tables import QuestionAnswers, Source

FIRST = ("Alda", "Bern", "Calo", "Dorn", "Elm", "Fenn", "Gar", "Hol", "Ister", "Kel", "Lorn",
         "Mar", "Nor", "Oster", "Pell", "Quen", "Rav", "Sten", "Tarn", "Ulm", "Ves",
         "Wick")  # fmt: skip
LAST = ("bach", "brook", "by", "dale", "ford", "gate", "ham", "haven", "holm", "mere", "mouth",
        "ness", "stad", "ton", "vale", "wick")  # fmt: skip
GIVEN = ("Anna", "Bruno", "Clara", "David", "Edith", "Felix", "Greta", "Hugo", "Irene", "Jonas",
         "Karin", "Ludwig", "Marta", "Nils", "Olga", "Peter")  # fmt: skip
FAMILY = ("Adler", "Brandt", "Castell", "Dreyer", "Ekberg", "Falk", "Grimm", "Hansen", "Ivers",
          "Jansson", "Kruse", "Lund", "Moser", "Norden", "Ohm", "Pohl")  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip
GOODS = ("salt", "amber", "paper", "copper wire", "woollen cloth", "clocks", "glass", "cider",
         "barrels", "herring", "slate", "candles")  # fmt: skip
DISHES = ("plum soup", "smoked eel", "barley cake", "goose pie", "nettle cheese", "rye dumplings",
          "pear stew", "crab broth")  # fmt: skip
MOST_ARTICLES = len(FIRST) * len(LAST)


@dataclass(frozen=True)
class _Fact:
    """A kind of fact: the sentences that tell it of a {town} as {value}, the ways to ask for it."""

    kind: str
    told: tuple[str, ...]
    asked: tuple[str, ...]


TOPICS: dict[str, tuple[_Fact, ...]] = {
    "history": (
        _Fact("year", ("{town} was founded in {value}",
                       "The first charter of {town} is of {value}"),
              ("When was {town} founded?", "In which year did {town} begin?")),
        _Fact("person", ("The town hall of {town} was designed by {value}",
                         "{value} drew the plans for the town hall of {town}"),
              ("Who designed the town hall of {town}?", "Who was the architect of {town}'s hall?")),
        _Fact("year", ("A fire destroyed the old bridge of {town} in {value}",
                       "The old bridge of {town} burned down in {value}"),
              ("When did {town} lose its old bridge?", "When did the bridge of {town} burn?")),
    ),
    "trade": (
        _Fact("goods", ("{town} is known for making {value}",
                        "Most workshops of {town} make {value}"),
              ("What is made in {town}?", "Which product is {town} known for?")),
        _Fact("count", ("The mill of {town} employs {value} people",
                        "Some {value} people work in the mill of {town}"),
              ("How many people work in the mill of {town}?",
               "How many workers has {town}'s mill?")),
        _Fact("month", ("The great fair of {town} opens in {value}",
                        "Traders meet at the great fair of {town} each {value}"),
              ("In which month is the great fair of {town}?", "When do traders go to {town}?")),
    ),
    "customs": (
        _Fact("dish", ("The dish that guests of {town} are served is {value}",
                       "Families in {town} cook {value} on holidays"),
              ("What do people eat in {town} on holidays?", "What are guests served in {town}?")),
        _Fact("person", ("The poet {value} was born in {town}",
                         "{town} is where the poet {value} grew up"),
              ("Which poet comes from {town}?", "Who wrote poems and was born in {town}?")),
        _Fact("count", ("The choir of {town} has {value} singers",
                        "In the choir of {town} sing {value} people"),
              ("How many singers has the choir of {town}?", "How large is the choir of {town}?")),
    ),
    "land": (
        _Fact("metres", ("The hill above {town} is {value} metres high",
                         "The hill above {town} rises to {value} metres"),
              ("How high is the hill above {town}?", "How many metres does {town}'s hill rise?")),
        _Fact("person", ("The lighthouse of {town} was built by {value}",
                         "{value} built the lighthouse of {town}"),
              ("Who built the lighthouse of {town}?", "Whose work is the lighthouse of {town}?")),
        _Fact("year", ("The marsh near {town} was drained in {value}",
                       "Workers drained the marsh near {town} in {value}"),
              ("When was the marsh near {town} drained?",
               "In which year did {town} drain its marsh?")),
    ),
}  # fmt: skip
TOLD_SHARE = 0.8  # of a town's facts


@dataclass
class _World:
    """What is true: town -> (topic, place of the fact) -> value, for all facts."""

    towns: list[str]
    values: dict[str, dict[tuple[str, int], str]] = field(default_factory=dict)
    told: dict[str, set[tuple[str, int]]] = field(default_factory=dict)


def generate(
    *,
    seed: int = 0,
    articles: int = 60,
    unanswerable: float = 0.15,
    test_share: float = 0.25,
) -> QuestionAnswers:
    """Draw a gazetteer of `articles` towns; `unanswerable` is a share of the questions."""
    _check("articles", articles, 8, MOST_ARTICLES)
    _check("unanswerable", unanswerable, 0.0, 0.2)
    _check("test_share", test_share, 0.1, 0.5)
    rng = np.random.default_rng(seed)
    world = _world(articles, rng)
    tests = max(2, round(test_share * articles))
    paragraphs, questions = [], []
    for place, town in enumerate(world.towns):
        part = "test" if place < tests else "train"
        neighbours = world.towns[:tests] if part == "test" else world.towns[tests:]
        for topic in TOPICS:
            name = f"{town}#{topic}"
            text, found = _paragraph(world, town, topic, neighbours, rng)
            paragraphs.append((name, town, text, part))
            questions += [(f"{name}-{number}", name, *each) for number, each in enumerate(found)]
    questions = _with_unanswerable(world, questions, unanswerable, rng)
    return _table(paragraphs, questions, f"articles={articles} unanswerable={unanswerable}")


def _world(articles: int, rng: np.random.Generator) -> _World:
    names = [first + last for first in FIRST for last in LAST]
    towns = [names[row] for row in rng.permutation(len(names))[:articles]]
    world = _World(towns)
    for town in towns:
        facts = [(topic, place) for topic, kinds in TOPICS.items() for place in range(len(kinds))]
        values: dict[tuple[str, int], str] = {}
        for topic, place in facts:
            taken = set(values.values())
            value = _value(TOPICS[topic][place].kind, rng)
            while value in taken:  # an answer stands for one fact of the town
                value = _value(TOPICS[topic][place].kind, rng)
            values[topic, place] = value
        world.values[town] = values
        told = {each for each in facts if rng.random() < TOLD_SHARE}
        # a paragraph tells something
        world.told[town] = told | {(topic, int(rng.integers(3))) for topic in TOPICS}
    return world


def _value(kind: str, rng: np.random.Generator) -> str:
    if kind == "person":
        return f"{_pick(GIVEN, rng)} {_pick(FAMILY, rng)}"
    ranges = {"year": (1105, 1960), "count": (12, 99), "metres": (105, 990)}
    if kind in ranges:
        return str(rng.integers(*ranges[kind]))
    return _pick({"month": MONTHS, "goods": GOODS, "dish": DISHES}[kind], rng)


def _paragraph(
    world: _World, town: str, topic: str, neighbours: Sequence[str], rng: np.random.Generator
) -> tuple[str, list[tuple[str, list[str], list[int]]]]:
    """Return the text, and (question, answers, starts) for each fact that it tells of the town."""
    kinds = TOPICS[topic]
    lines = [(town, place) for place in range(len(kinds)) if (topic, place) in world.told[town]]
    others = _neighbour_facts(world, town, topic, neighbours, lines)
    if others:
        lines.append(others[int(rng.integers(len(others)))])
    text, found = "", []
    for row in rng.permutation(len(lines)):
        of, place = lines[row]
        value = world.values[of][topic, place]
        before, after = _pick(kinds[place].told, rng).replace("{town}", of).split("{value}")
        start = len(text) + len(before)
        text += f"{before}{value}{after}. "
        if of == town:
            found.append((_pick(kinds[place].asked, rng).format(town=town), [value], [start]))
    return text.strip(), found


def _neighbour_facts(
    world: _World, town: str, topic: str, neighbours: Sequence[str], lines: list[tuple[str, int]]
) -> list[tuple[str, int]]:
    """Return facts that neighbours tell too, of a kind told here but of another value."""
    here = {world.values[town][topic, place] for _, place in lines}
    return [
        (other, place)
        for other in neighbours
        for _, place in lines
        if other != town
        and (topic, place) in world.told[other]
        and not any(world.values[other][topic, place] in value for value in here)
        and not any(value in world.values[other][topic, place] for value in here)
    ]


def _with_unanswerable(
    world: _World,
    questions: list[tuple[str, str, str, list[str], list[int]]],
    share: float,
    rng: np.random.Generator,
) -> list[tuple[str, str, str, list[str], list[int]]]:
    """Add questions for facts that stand nowhere, to paragraphs of the same topic."""
    untold = [
        (town, topic, place)
        for town in world.towns
        for topic, place in world.values[town]
        if (topic, place) not in world.told[town]
    ]
    count = round(share / (1 - share) * len(questions))
    added: list[tuple[str, str, str, list[str], list[int]]] = []
    for row in rng.permutation(len(untold))[:count]:
        town, topic, place = untold[row]
        asked = _pick(TOPICS[topic][place].asked, rng).format(town=town)
        added.append((f"{town}#{topic}-none-{place}", f"{town}#{topic}", asked, [], []))
    return questions + added


def _table(
    paragraphs: list[tuple[str, str, str, str]],
    questions: list[tuple[str, str, str, list[str], list[int]]],
    options: str,
) -> QuestionAnswers:
    texts = pl.DataFrame(
        paragraphs, orient="row",
        schema=dict.fromkeys(("paragraph_id", "title", "text", "part"), pl.String),
    )  # fmt: skip
    asked = pl.DataFrame(
        questions, orient="row",
        schema={
            "question_id": pl.String, "paragraph_id": pl.String, "question": pl.String,
            "answers": pl.List(pl.String), "starts": pl.List(pl.Int64),
        },
    )  # fmt: skip
    frames = {"paragraphs": texts, "questions": asked}
    source = Source(
        name="simulated-questions",
        origin="simulated",
        title=f"Simulated gazetteer with questions ({options})",
        licence="Apache-2.0, generated by this project",
        checksums={name: _digest(frame) for name, frame in frames.items()},
        rows=f"{asked.height:,} questions, {texts.height:,} paragraphs,"
        f" {texts['title'].n_unique():,} articles",
    )
    return QuestionAnswers(source, texts, asked)


def _pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_json().encode()).hexdigest()


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is out of range; give a value from {low:g} to {high:g}")
