"""Serve one task of vision, or all: `python -m patterns.vision.serve [TASK | all] [flags]`.

Only a dispatcher; the main programs are `patterns/vision/<task>/serve.py`.
"""

from common.serving.several import serve_task
from patterns.vision import TASKS

if __name__ == "__main__":
    serve_task("patterns.vision", TASKS, default="classification")
