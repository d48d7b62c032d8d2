"""Ask one toy task."""

from common.dispatch import take_task
from common.serving.ask import ask_main
from toy_tasks import TASKS

if __name__ == "__main__":
    ask_main(f"toy_tasks.{take_task('toy_tasks', TASKS, default='words')}")
