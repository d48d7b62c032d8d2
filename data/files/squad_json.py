"""Questions and answers as SQuAD's JSON has them, 1.1 or 2.0, and the same as flat rows.

    {"data": [{"title": "…", "paragraphs": [{"context": "…", "qas": [
        {"id": "…", "question": "…", "answers": [{"text": "…", "answer_start": 0}],
         "is_impossible": false}]}]}]}
    {"id": "…", "title": "…", "context": "…", "question": "…",
     "answers": {"text": ["…"], "answer_start": [0]}}            a row of a list, or a line

An answer that does not stand where it should is put right if its paragraph has it once; else its
question is named by its id, and refused or left out. Characters are code points, as in Python.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl

from data.files.decoding import read_bytes, to_utf8
from data.files.faults import FaultsOfFiles, flag
from data.files.lines import is_text
from data.files.repairs import Repairs

EXAMPLE = '{"data": [{"title": …, "paragraphs": [{"context": …, "qas": […]}]}]}'
Unplaced = Literal["refuse", "skip"]


class SquadJson:
    """The paragraphs and questions of the files read so far, with what was wrong in them."""

    def __init__(self, *, incomplete: Unplaced = "refuse") -> None:
        """`incomplete` says what becomes of questions without a usable answer."""
        self.incomplete = incomplete
        self.faults, self.repairs = FaultsOfFiles(), Repairs()
        self.paragraphs: list[tuple[str, str, str, str]] = []
        self.questions: list[tuple[str, str, str, list[str], list[int]]] = []
        self._ids: set[str] = set()
        self._known: dict[tuple[str, str, str], str] = {}  # part, title, context -> paragraph id
        self._in_article: dict[str, int] = {}
        self._text_of: dict[str, str] = {}  # paragraph id -> its context as a string of Unicode

    def read(self, path: Path, part: str) -> SquadJson:
        """Collect a file as this part; what is wrong is kept for `frames` to raise."""
        for where, title, context, questions in _contexts(path, self.faults):
            paragraph = self._paragraph(path, where, part, title, context)
            if paragraph is not None:
                for number, each in enumerate(questions):
                    self._question(path, f"{where}.qas[{number}]", paragraph, each)
        return self

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the tables of paragraphs and of questions, or raise for all that was wrong."""
        self.faults.check()
        paragraphs = pl.DataFrame(
            self.paragraphs, orient="row",
            schema=dict.fromkeys(("paragraph_id", "title", "text", "part"), pl.String),
        )  # fmt: skip
        questions = pl.DataFrame(
            self.questions, orient="row",
            schema={
                "question_id": pl.String, "paragraph_id": pl.String, "question": pl.String,
                "answers": pl.List(pl.String), "starts": pl.List(pl.Int64),
            },
        )  # fmt: skip
        return paragraphs, questions

    def _paragraph(
        self, path: Path, where: str, part: str, title: object, context: object
    ) -> str | None:
        """Return the id of a paragraph, a new one unless this part has it already."""
        if not isinstance(context, str) or not context.strip():
            self.faults.add(path, None, f"{where}: its context is {_shown(context)}; give text.")
            return None
        title = title.replace("_", " ").strip() if isinstance(title, str) else ""
        title, text = self._unicode(title, where), self._unicode(context, where)
        key = (part, title, text)
        if key not in self._known:
            number = self._in_article[title] = self._in_article.get(title, 0) + 1
            self._known[key] = f"{title or 'untitled'}#{number}"
            self.paragraphs.append((self._known[key], title, text, part))
            self._text_of[self._known[key]] = text
        return self._known[key]

    def _question(self, path: Path, where: str, paragraph: str, asked: Any) -> None:
        if not isinstance(asked, Mapping):
            self.faults.add(path, None, f"{where}: it is {_shown(asked)}; give an object.")
            return
        name, question = asked.get("id"), asked.get("question")
        if not isinstance(name, str | int) or not str(name).strip():
            self.faults.add(path, None, f"{where}: its id is {_shown(name)}; give each its own.")
            return
        name = self._unicode(str(name), where)
        if name in self._ids:
            self.faults.add(path, None, f"question {name!r} stands twice; give each its own id.")
            return
        self._ids.add(name)
        if not isinstance(question, str) or not question.strip():
            problem = f"question {name!r} is {_shown(question)}; give its text"
            self._unusable(path, problem, "questions without text were left out", name)
            return
        texts, starts, problem = self._answers(name, paragraph, asked)
        if problem:
            what = "questions whose answer does not stand in their paragraph were left out"
            self._unusable(path, problem, what, name)
            return
        row = (name, paragraph, self._unicode(question, where), texts, starts)
        self.questions.append(row)

    def _answers(
        self, name: str, paragraph: str, asked: Mapping[str, Any]
    ) -> tuple[list[str], list[int], str]:
        """Return the answers that have a place, or what is wrong where none has."""
        if asked.get("is_impossible"):
            return [], [], ""
        texts: list[str] = []
        starts: list[int] = []
        problem = f"question {name!r} has no answers; give some, or is_impossible: true"
        given = _listed(asked.get("answers"))
        for each in given:
            text, start, wrong = self._placed(name, self._text_of[paragraph], each)
            if wrong:
                problem = wrong
            else:
                texts.append(text)
                starts.append(start)
        if texts and len(texts) < len(given):
            self.repairs.add(
                "answers that do not stand in their paragraph were left out, others of their"
                " questions kept", f"question {name!r}", len(given) - len(texts),
            )  # fmt: skip
        return texts, starts, "" if texts else problem

    def _placed(self, name: str, context: str, answer: Any) -> tuple[str, int, str]:
        """Return an answer and its start, or what is wrong with it."""
        text = answer.get("text") if isinstance(answer, Mapping) else None
        if not isinstance(text, str) or not text.strip():
            return "", -1, f"question {name!r} has the answer {_shown(answer)}; give its text"
        text = self._unicode(text, name)
        start = answer.get("answer_start")
        known = isinstance(start, int) and start >= 0
        if known and context[start : start + len(text)] == text:
            return text, start, ""
        text = text.strip()
        count = context.count(text)
        if count == 1:
            what = "answers did not begin where their answer_start says and were found"
            self.repairs.add(what, f"question {name!r}")
            return text, context.index(text), ""
        if count:
            told = f"occurs {count} times and not at answer_start {start!r}; correct that"
        else:
            told = "does not stand in its context; correct it"
        return "", -1, f"question {name!r}: its answer {text[:60]!r} {told}"

    def _unusable(self, path: Path, problem: str, what: str, name: str) -> None:
        """Count a question as left out, or keep it as a fault."""
        if self.incomplete == "skip":
            self.repairs.add(what, f"question {name!r}")
            return
        remedy = f"or leave such questions out by {flag('incomplete')} skip"
        self.faults.add(path, None, f"{problem}, {remedy}.")

    def _unicode(self, text: str, where: str) -> str:
        """Return the text with each half of a surrogate pair replaced, which moves no offset."""
        if is_text(text):
            return text
        self.repairs.add("texts held half a surrogate pair, now U+FFFD", where)
        return "".join(letter if is_text(letter) else "\ufffd" for letter in text)


def _contexts(path: Path, faults: FaultsOfFiles) -> Iterator[tuple[str, Any, Any, list[Any]]]:
    """Yield (place, title, context, questions) of a file, whichever form it has."""
    whole = _parsed(path)
    articles = whole.get("data") if isinstance(whole, Mapping) else whole
    if not isinstance(articles, list) or not articles:
        raise ValueError(f"{path}: it holds no questions. Give them as {EXAMPLE}.")
    for place, article in enumerate(articles):
        where = f"data[{place}]"
        if isinstance(article, Mapping) and isinstance(article.get("paragraphs"), list):
            for number, each in enumerate(article["paragraphs"]):
                inner = f"{where}.paragraphs[{number}]"
                each = each if isinstance(each, Mapping) else {}
                yield inner, article.get("title"), each.get("context"), _listed(each.get("qas"))
        elif isinstance(article, Mapping) and "context" in article and "question" in article:
            yield where, article.get("title"), article["context"], [article]
        else:
            told = f"{where}: neither an article with paragraphs nor a question with its context."
            faults.add(path, None, f"{told} Give {EXAMPLE}.")


def _parsed(path: Path) -> Any:
    """Return the value of a JSON file, or the list of values of one with a value a line."""
    content = to_utf8(path, read_bytes(path, table=False))[0].decode()
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        lines = [line for line in content.split("\n") if line.strip()]
        try:
            return [json.loads(line) for line in lines]
        except json.JSONDecodeError:
            told = f"{path}, row {error.lineno}: not JSON ({error.msg})"
        raise ValueError(f"{told}. Give the questions as {EXAMPLE}.") from error


def _listed(value: Any) -> list[Any]:
    """Return a list of objects, from one as it is or from an object of columns."""
    if isinstance(value, list):
        return value
    if isinstance(value, Mapping) and isinstance(value.get("text"), list):
        starts = value.get("answer_start")
        starts = starts if isinstance(starts, list) else []
        starts = [*starts, *[None] * (len(value["text"]) - len(starts))]
        return [
            {"text": text, "answer_start": start}
            for text, start in zip(value["text"], starts, strict=False)
        ]
    return []


def _shown(value: object) -> str:
    return "missing" if value is None else f"{str(value)[:60]!r}"
