"""A toy pattern of tasks whose services need no model: to test what stands in front of tasks.

`python -m toy_tasks.serve all` and `python -m toy_tasks.predict names "Anna"` are its commands.
"""

from pathlib import Path

import toy_run

from common import artifacts

TASKS = ("words", "names", "nothing")


def save(runs: Path, *tasks: str) -> list[artifacts.Run]:
    """Save a run of each of the tasks and open it."""
    found = []
    for task in tasks:
        config, name = toy_run.Config(runs=runs), f"toy/{task}"
        path = artifacts.save(toy_run.Pipeline(), toy_run.report(), config, name=name)
        found.append(artifacts.open_run(path, name=name, runs=runs))
    return found
