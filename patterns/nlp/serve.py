"""Serve one task of language, or all: `python -m patterns.nlp.serve [TASK | all] [flags]`.

A dispatcher and nothing else; the mains are `patterns/nlp/<task>/serve.py`.
"""

from common.serving.several import serve_task
from patterns.nlp import TASKS

if __name__ == "__main__":
    serve_task("patterns.nlp", TASKS, default="classification")
