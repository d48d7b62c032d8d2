"""Serve one task of language: `python -m patterns.nlp.serve [TASK] [flags]`.

A dispatcher and nothing else; the mains are `patterns/nlp/<task>/serve.py`.
"""

from common.dispatch import run_task
from patterns.nlp import TASKS

if __name__ == "__main__":
    run_task("patterns.nlp", TASKS, default="classification", command="serve")
