"""Simulated parallel texts: English of a few words, and a made-up language with one right answer.

A sentence is drawn as a meaning (who does what to whom, where, when) and written in both languages
by their grammars. Toy, the second one, differs from English in what makes translation hard:

    The tall girl did not see a red house yesterday.
    Hieri la mira talia una domon rugon ne vidis.

- order: time first, verb last, place before object, adjectives after their noun;
- agreement: article and adjective take the gender (-o, -a) and number (-j) of the noun, the verb
  its number; what an article is in English does not tell;
- case: the object and its adjective end in -n, the same words as subject do not;
- words that have no partner: "did not" is one word, "every day" is one word.

Planted, so that tests know the right answer: a sentence of English has exactly one translation, so
a perfect system scores BLEU 100, and word by word one stays far below. In the training part a fifth
of all pairs of adjective and noun never occurs; half of the test sentences hold such a pair, and
they stand in `extra` once more, to be judged alone. No sentence stands in two parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.tables import ParallelTexts, Source

LANGUAGES = ("en", "toy")
UNSEEN = "unseen combinations"
# English, then Toy with the ending of its gender; the plural of English adds -s
PEOPLE = (
    "dog kuno", "cat mica", "horse balo", "bird fluga", "teacher doceno", "farmer kampo",
    "girl mira", "boy lado", "singer kanta", "king rejo", "nurse vila", "sailor maro",
)  # fmt: skip
THINGS = (
    "house domo", "tree arba", "book libro", "letter skriba", "river fluva", "lamp lumo",
    "boat sipo", "bell tinta", "stone rako", "garden florda", "table mesa", "bridge ponto",
)  # fmt: skip
ADJECTIVES = (
    "small pik", "red rug", "green verd", "quiet kviet", "heavy gravit", "young jun",
    "tired lac", "brown brun", "tall tali", "new nov",
)  # fmt: skip
# base, third person, past, then Toy
ACTIONS = (
    "see sees saw vid", "find finds found trov", "paint paints painted pent",
    "carry carries carried port", "draw draws drew desin", "lift lifts lifted lev",
    "love loves loved am", "watch watches watched gard",
)  # fmt: skip
STATES = (
    "sleep sleeps slept dorm", "run runs ran kur", "wait waits waited atend",
    "sing sings sang kants", "fall falls fell fal",
)  # fmt: skip
PLACES = ("near ce", "behind post", "under sub")
NOW, PAST = ("today hodia", "every_day ciutage"), ("yesterday hieri", "last_year pasjare")


@dataclass(frozen=True)
class _Phrase:
    """A noun with what belongs to it."""

    noun: str
    adjective: str
    plural: bool
    known: bool  # "the", else "a" or "some"

    def english(self) -> str:
        article = "the" if self.known else "some" if self.plural else "a"
        adjective = self.adjective.split()[0] if self.adjective else ""
        noun = self.noun.split()[0] + ("s" if self.plural else "")
        return " ".join(filter(None, [article, adjective, noun]))

    def toy(self, case: str = "") -> str:
        noun = self.noun.split()[1]
        ending = noun[-1] + ("j" if self.plural else "")
        article = ("l" if self.known else "un") + ending
        adjective = self.adjective.split()[1] + ending + case if self.adjective else ""
        return " ".join(filter(None, [article, noun[:-1] + ending + case, adjective]))

    @property
    def held_out(self) -> bool:
        """Whether adjective and noun never stand together in the training part."""
        if not self.adjective:
            return False
        noun = (*PEOPLE, *THINGS).index(self.noun)
        return (ADJECTIVES.index(self.adjective) + noun) % 5 == 0


@dataclass(frozen=True)
class _Meaning:
    """A sentence before it is said in any language."""

    subject: _Phrase
    verb: str
    negated: bool
    past: bool
    object: _Phrase | None
    place: str
    where: _Phrase | None
    time: str

    def english(self) -> str:
        base, third, past, _ = self.verb.split()
        if self.negated:
            helper = "did" if self.past else "do" if self.subject.plural else "does"
            verb = f"{helper} not {base}"
        else:
            verb = past if self.past else base if self.subject.plural else third
        words = [self.subject.english(), verb]
        words += [self.object.english()] if self.object else []
        words += [self.place.split()[0], self.where.english()] if self.where else []
        words += [self.time.split()[0].replace("_", " ")] if self.time else []
        return _sentence(words)

    def toy(self) -> str:
        words = [self.time.split()[1]] if self.time else []
        words += [self.subject.toy()]
        words += [self.place.split()[1], self.where.toy()] if self.where else []
        words += [self.object.toy("n")] if self.object else []
        words += ["ne"] if self.negated else []
        ending = ("is" if self.past else "as") + ("j" if self.subject.plural else "")
        return _sentence([*words, self.verb.split()[3] + ending])

    @property
    def held_out(self) -> bool:
        phrases = (self.subject, self.object, self.where)
        return any(phrase.held_out for phrase in phrases if phrase)


def generate(*, seed: int = 0, texts: int = 6000, test_share: float = 0.1) -> ParallelTexts:
    """Draw `texts` sentences, `test_share` of them to test, half of those with unseen pairs."""
    _check("texts", texts, 100, 200_000)
    _check("test_share", test_share, 0.01, 0.5)
    rng = np.random.default_rng(seed)
    tests = max(2, round(test_share * texts))
    seen: set[str] = set()
    unseen = _drawn(tests // 2, True, rng, seen)
    ordinary = _drawn(texts - len(unseen), False, rng, seen)
    of_test = tests - len(unseen)
    train = _frame(ordinary[of_test:])
    test = _frame(ordinary[:of_test] + unseen)
    test = test[rng.permutation(test.height).tolist()]
    source = Source(
        name="simulated-translation",
        origin="simulated",
        title=f"Simulated parallel texts (texts={texts} test_share={test_share})",
        licence="Apache-2.0, generated by this project",
        checksums={"train": _digest(train), "test": _digest(test)},
        rows=f"{train.height:,} train sentences, {test.height:,} test sentences, in"
        f" {' and '.join(LANGUAGES)}",
    )
    return ParallelTexts(source, train, test, LANGUAGES, extra={UNSEEN: _frame(unseen)})


def _drawn(count: int, held_out: bool, rng: np.random.Generator, seen: set[str]) -> list[_Meaning]:
    """Draw sentences that were not seen yet, with pairs that are held out or without."""
    drawn: list[_Meaning] = []
    while len(drawn) < count:
        meaning = _meaning(rng)
        text = meaning.english()
        if meaning.held_out == held_out and text not in seen:
            seen.add(text)
            drawn.append(meaning)
    return drawn


def _meaning(rng: np.random.Generator) -> _Meaning:
    acts, past = rng.random() < 0.75, bool(rng.random() < 0.5)
    placed = rng.random() < (0.3 if acts else 0.7)
    return _Meaning(
        subject=_phrase(PEOPLE, rng),
        verb=_pick(ACTIONS if acts else STATES, rng),
        negated=bool(rng.random() < 0.25),
        past=past,
        object=_phrase((*PEOPLE, *THINGS), rng) if acts else None,
        place=_pick(PLACES, rng) if placed else "",
        where=_phrase(THINGS, rng) if placed else None,
        time=_pick(PAST if past else NOW, rng) if rng.random() < 0.4 else "",
    )


def _phrase(nouns: tuple[str, ...], rng: np.random.Generator) -> _Phrase:
    adjective = _pick(ADJECTIVES, rng) if rng.random() < 0.5 else ""
    plural, known = bool(rng.random() < 0.35), bool(rng.random() < 0.6)
    return _Phrase(_pick(nouns, rng), adjective, plural, known)


def _sentence(words: list[str]) -> str:
    text = " ".join(words)
    return text[0].upper() + text[1:] + "."


def _frame(meanings: list[_Meaning]) -> pl.DataFrame:
    english, toy = [each.english() for each in meanings], [each.toy() for each in meanings]
    return pl.DataFrame({"en": english, "toy": toy}, schema=dict.fromkeys(LANGUAGES, pl.String))


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_json().encode()).hexdigest()


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is out of range; give a value from {low:g} to {high:g}")
