"""Ask one task of vision, without a server: `python -m patterns.vision.predict [TASK] image.png`.

Only a dispatcher; `common/serving/ask.py` opens the run and asks it.
"""

from common.dispatch import take_task
from common.serving.ask import ask_main
from patterns.vision import TASKS

if __name__ == "__main__":
    ask_main(f"patterns.vision.{take_task('patterns.vision', TASKS, default='classification')}")
