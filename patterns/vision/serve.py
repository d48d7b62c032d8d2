"""Serve one task of vision: `python -m patterns.vision.serve [TASK] [flags]`.

Only a dispatcher; the main programs are `patterns/vision/<task>/serve.py`.
"""

from common.dispatch import run_task
from patterns.vision import TASKS

if __name__ == "__main__":
    run_task("patterns.vision", TASKS, default="classification", command="serve")
