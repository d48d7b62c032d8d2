"""Machine translation: a text in one language in, the same in another out, as sure as it can be.

Read in this order: `config.py` (the choices), `entities/pairs.py` and `data.py` (pairs of texts,
the split and its leaks), `stages/lexicon.py` (the baseline: word by word), `stages/subwords.py`
(texts to pieces and back), `common/attention.py` and `stages/transformer.py` (the model, to be
read), `stages/batches.py` and `stages/translator.py` (how it is trained), `stages/search.py`
(greedy and beam search with a cache), `stages/sentences.py` (long texts), `stages/bleu.py` (the
metric), and last `pipeline.py`, `evaluate.py` with `evaluation/`, `figures.py`, `train.py`,
`serve.py`.
"""
