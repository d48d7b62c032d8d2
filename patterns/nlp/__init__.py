"""Language: tasks on text, each a whole pattern of its own with the same listing.

`classification` says which of many labels a text has: TF-IDF as the baseline, a fine-tuned
transformer as the model, ONNX Runtime to serve it.

`qa` answers questions: from a text that is given, or from passages that it finds and cites.

`python -m patterns.nlp.train` runs classification; a task's name in front of the flags picks
another: `python -m patterns.nlp.train classification --preset smoke`.
"""

TASKS = ("classification", "qa")
