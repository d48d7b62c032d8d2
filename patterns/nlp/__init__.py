"""Language: tasks on text, each a whole pattern of its own with the same listing.

`classification` says which of many labels a text has: TF-IDF as the baseline, a fine-tuned
transformer as the model, ONNX Runtime to serve it. `translation` writes a text in another language:
word by word as the baseline, an encoder-decoder Transformer trained from nothing, beam search.

`ner` says which words of a text are a name, and of what: a gazetteer and a linear model as
baselines, a fine-tuned transformer with tags decoded as a sequence.

`qa` answers questions: from a text that is given, or from passages that it finds and cites.

`python -m patterns.nlp.train` runs classification; a task's name in front of the flags picks
another: `python -m patterns.nlp.train classification --preset smoke`.
"""

TASKS = ("classification", "ner", "qa", "translation")
