"""The task dispatcher: default, named task, unknown task."""

import sys

import pytest

from common.dispatch import choose_task, run_task

TASKS = ("classification", "detection")


def test_no_word_means_the_default_task() -> None:
    assert choose_task(TASKS, "classification", []) == ("classification", [])
    assert choose_task(TASKS, "classification", ["--seed", "1"]) == (
        "classification",
        ["--seed", "1"],
    )


def test_a_named_task_is_taken_off_the_arguments() -> None:
    assert choose_task(TASKS, "classification", ["detection", "--seed", "1"]) == (
        "detection",
        ["--seed", "1"],
    )


def test_an_unknown_task_exits_with_two_and_names_the_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train", "tracking"])
    with pytest.raises(SystemExit) as stopped:
        run_task("patterns.vision", TASKS, default="classification")
    assert stopped.value.code == 2
    assert "tracking" in capsys.readouterr().err
