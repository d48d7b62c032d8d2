"""A run asked from the command line: what it answers, from where it reads, what it refuses."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy_tasks

from common.serving import readable
from common.serving.ask import ask_main, service_of

ROOT = Path(__file__).resolve().parents[3]
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    toy_tasks.save(folder, "words", "names")
    return folder


@pytest.fixture
def ask(runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Ask:
    """Give a function that runs the command and returns its code, output and errors."""

    def run(task: str, *words: str, given: bytes = b"", runs: Path = runs) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["predict", *words, "--runs", str(runs)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        try:
            ask_main(f"toy_tasks.{task}")
        except SystemExit as end:
            return int(end.code or 0), *capsys.readouterr()
        return 0, *capsys.readouterr()

    return run


def rows(out: str) -> list[str]:
    return [" ".join(line.split()) for line in out.splitlines()]


def test_one_text_is_answered_with_all_there_is(ask: Ask) -> None:
    code, out, _ = ask("words", "one two two", "--k", "2")
    assert code == 0
    assert {"one", "word share", "two 66.7%", "one 33.3%", "count 3"} <= set(rows(out))


def test_fields_are_flags_and_defaults_are_the_requests(ask: Ask) -> None:
    _, out, _ = ask("words", "one two two", "--k", "1", "--loud", "true", "--json")
    answer = json.loads(out)
    assert [word["word"] for word in answer["words"]] == ["TWO"] and answer["count"] == 3
    _, out, _ = ask("words", "one two two", "--json")
    assert len(json.loads(out)["words"]) == 2


def test_names_are_marked_in_the_text(ask: Ask) -> None:
    _, out, _ = ask("names", "yes, Ωμέγα 🎬 and Bob met Zoë")
    assert "🎬 and [Bob NAME] met [Zoë NAME]" in out
    assert "Bob NAME 17 20" in rows(out)


def test_a_text_that_was_cut_is_said(ask: Ask) -> None:
    assert "longer than the model reads" in ask("words", "word " * 13)[2]
    assert "longer than the model reads" not in ask("words", "word " * 12)[2]


@pytest.mark.parametrize("how", ["words", "input", "file"])
def test_several_are_answered_in_batches_and_in_order(ask: Ask, tmp_path: Path, how: str) -> None:
    texts = [f"text{place}" for place in range(7)]  # three batches
    lines = "\r\n".join([*texts, ""]).encode()
    (tmp_path / "texts.txt").write_bytes(b"\xef\xbb\xbf" + lines)
    words = {"words": texts, "input": ["-"], "file": ["--file", str(tmp_path / "texts.txt")]}[how]
    code, out, _ = ask("words", *words, "--json", given=lines)
    assert code == 0
    assert [json.loads(line)["first"] for line in out.splitlines()] == texts
    _, out, _ = ask("words", *words, given=lines)
    assert "text6 text6 1" in rows(out)


def test_a_line_that_is_refused_is_told_in_its_place(ask: Ask) -> None:
    lines = ["good", "", "   ", "x" * 2000, "fine"]
    given = "\n".join(lines).encode() + b"\nb\xffd\n"
    code, out, err = ask("words", "-", "--json", given=given)
    answers = [json.loads(line) for line in out.splitlines()]
    told = [answer.get("first") or answer["error"]["message"] for answer in answers]
    assert told[0] == "good" and told[4] == "fine" and len(told) == 6
    assert "at least 1 character" in told[1] and told[2] == "no words"
    assert "at most 1000" in told[3] and "unicode" in told[5]
    assert code == 2 and "4 of 6 requests were refused" in err
    _, out, _ = ask("words", "-", given=given)
    assert "refused: text: no words; give some" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([""], "text: String should have at least 1 character; send a longer text"),
        (["  "], "text: no words; give some"),
        (["x" * 1_000_000], "text: String should have at most 1000 characters"),
        (["a \udcff b"], "send text in UTF-8"),
        (["a", "--k", "0"], "k: Input should be greater than or equal to 1"),
        (["a", "--k", "many"], "k: Input should be a valid integer"),
        ([], "text: nothing to ask; give one in quotes"),
        (["--file", "no-such-file"], "no-such-file: no such file"),
        (["a", "--file", "x"], "file: it is read in place of a text; leave out 'a'"),
        (["a", "--run", "production"], "train first: python -m patterns.toy.words.train"),
    ],
)
def test_what_is_wrong_is_one_line(ask: Ask, words: list[str], told: str) -> None:
    code, _, err = ask("words", *words)
    assert code == 2 and told in err and len(err.splitlines()) == 1, err
    assert len(err) < 500


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.0, "0.0%"), (0.0001, "<0.1%"), (0.5, "50.0%"), (0.99999, ">99.9%"), (1.0, "100.0%")],
)
def test_a_share_is_not_rounded_to_nothing_or_all(share: float, written: str) -> None:
    assert readable._percent(share) == written


def test_what_would_control_a_terminal_is_drawn(ask: Ask) -> None:
    _, out, _ = ask("names", "\x1b[31m Eve\x07 \x9b met\tBob\x00")
    assert not {"\x1b", "\x07", "\x9b", "\x00"} & set(out)
    assert "[Eve NAME]" in out and "[Bob NAME]" in out


def test_marks_may_overlap() -> None:
    spans = [
        {"start": 0, "end": 8, "label": "ORG"},
        {"start": 4, "end": 8, "label": "LOC"},
        {"start": 8, "end": 9},
    ]
    found = readable.marked("Bank Rome!", spans[:2], coloured=False)
    assert found.plain == "[Bank[ Rom LOC] ORG]e!"
    coloured = readable.marked("Bank Rome!", spans, coloured=True)
    assert coloured.plain == "Bank Rome!" and len(coloured.spans) == 3


def test_the_command_as_a_reader_types_it(runs: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "toy_tasks.predict", *words], capture_output=True, text=True,
            env=environment, cwd=ROOT, timeout=60,
        )  # fmt: skip

    asked = run("names", "Anna met Bob", "--runs", str(runs))
    assert asked.returncode == 0 and "[Anna NAME] met [Bob NAME]" in asked.stdout, asked.stderr
    helped = run("words", "--help")
    assert "usage: python -m toy_tasks.predict" in helped.stdout
    assert "how many words to list" in helped.stdout and "default: 2" in helped.stdout
    unknown = run("Anna met Bob")
    assert unknown.returncode == 2 and "name one of words, names" in unknown.stderr


def test_a_task_has_one_service() -> None:
    assert service_of("toy_tasks.nothing").name == "toy/nothing"


def test_an_answer_is_printed_in_its_passage(load_script: Any, capsys: Any) -> None:
    texts = load_script("text_service")
    asked = {"text": texts.TEXT, "context": texts.PASSAGE}
    service = texts.TextService()
    readable.one(asked, service.predict([service.Request(**asked)])[0])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "Anna Bauer   score 87.0%" in lines
    assert "by 👷 [Anna Bauer], who had come" in out and lines.count(texts.TEXT) == 1
    assert "From [Vienna] she came." in lines and "Ein Haus steht auf einem Hügel." in lines
    assert "[University of [Graz LOC] ORG] met" in out
    nobody = {"text": "nobody", "context": "none"}
    readable.one(nobody, service.predict([service.Request(**nobody)])[0])
    assert "no answer in the text" in capsys.readouterr().out
