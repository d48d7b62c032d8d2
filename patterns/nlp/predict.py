"""Ask one task of language, without a server: `python -m patterns.nlp.predict [TASK] "text" …`.

A dispatcher and nothing else; `common/serving/ask.py` opens the run and asks it.
"""

from common.dispatch import take_task
from common.serving.ask import ask_main
from patterns.nlp import TASKS

if __name__ == "__main__":
    ask_main(f"patterns.nlp.{take_task('patterns.nlp', TASKS, default='classification')}")
