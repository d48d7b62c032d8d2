"""Serve one toy task, or all."""

from common.serving.several import serve_task
from toy_tasks import TASKS

if __name__ == "__main__":
    serve_task("toy_tasks", TASKS, default="words")
