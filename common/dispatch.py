"""One command in front of the tasks of a pattern: `python -m patterns.vision.train detection …`.

A pattern of several tasks keeps a whole listing per task, and each task runs by its own name:
`python -m patterns.vision.detection.train`. The pattern's own `train.py`, `serve.py` and
`predict.py` only read a task's name off the front of the arguments and run that task; no name means
the default task. Nothing of the task is imported before it is chosen, so `--help` stays quick.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence

from common import console


def run_task(package: str, tasks: Sequence[str], default: str, *, command: str = "train") -> None:
    """Run `<package>.<task>.<command>` as the main, the task being the first argument.

    Arguments that follow are the task's own. An unknown word ends in one line and exit code 2.
    """
    task = take_task(package, tasks, default)
    runpy.run_module(f"{package}.{task}.{command}", run_name="__main__", alter_sys=True)


def take_task(package: str, tasks: Sequence[str], default: str) -> str:
    """Take the task's name off the front of the command's arguments and return it."""
    task, arguments = choose_task(tasks, default, sys.argv[1:])
    if task is None:
        known = ", ".join(tasks)
        console.error(f"{arguments[0]!r} is not a task of {package}; name one of {known}")
        sys.exit(2)
    sys.argv[1:] = arguments
    if arguments in (["--help"], ["-h"]):
        console.info(f"tasks of {package}: {', '.join(tasks)} (without a name: {default})")
    return task


def choose_task(
    tasks: Sequence[str], default: str, arguments: Sequence[str]
) -> tuple[str | None, list[str]]:
    """Return the task and the arguments left for it; `None` where the first word names no task."""
    if not arguments or arguments[0].startswith("-"):
        return default, list(arguments)
    if arguments[0] in tasks:
        return arguments[0], list(arguments[1:])
    return None, list(arguments)
